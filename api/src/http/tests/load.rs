//! Much at once: nothing is lost, and what it took is printed.

use super::*;

const ROUTES: usize = 1_000;
const CLIENTS: usize = 8;
const VEHICLES: u64 = 500;
const EACH: u64 = 100;

#[test]
#[expect(clippy::print_stdout, reason = "a measurement for whoever reads the test's output")]
fn many_routes_and_outputs_go_through() {
    let world = World::new("load");
    for n in 0..CLIENTS {
        world.ask("PUT", &format!("/v1/vehicles/v{n}"), Some(&json!({})));
    }
    let started = tokio::time::Instant::now();
    std::thread::scope(|scope| {
        for n in 0..CLIENTS {
            let (world, plan) = (&world, plan(&format!("v{n}")));
            scope.spawn(move || {
                let agent: ureq::Agent =
                    ureq::Agent::config_builder().http_status_as_error(false).build().into();
                for route in (n..ROUTES).step_by(CLIENTS) {
                    let put = agent.put(world.url(&format!("/v1/routes/r{route}")));
                    let put = put.header("Authorization", format!("Bearer {}", world.key));
                    assert_eq!(put.send_json(&plan).unwrap().status().as_u16(), 201);
                }
            });
        }
    });
    let took = started.elapsed();
    println!("{:.0} PUT/s of routes", ROUTES as f64 / took.as_secs_f64());
    assert_eq!(world.records(Topic::Inputs).len(), ROUTES);

    let keys: Vec<String> = (0..VEHICLES).map(|n| format!("acme/v{n}")).collect();
    let started = tokio::time::Instant::now();
    for seq in 1..=EACH {
        for key in &keys {
            world.say(key, &[position(key, seq)]);
        }
    }
    let last = format!("/v1/vehicles/v{}/position", VEHICLES - 1);
    world.until(&last, |_, json| json["seq"] == EACH);
    let took = started.elapsed();
    let outputs = (VEHICLES * EACH) as f64;
    println!("{:.1} µs an output, appending included", took.as_secs_f64() / outputs * 1e6);
    for key in &keys {
        let vehicle = key.strip_prefix("acme/").unwrap();
        world.until(&format!("/v1/vehicles/{vehicle}/position"), |_, json| json["seq"] == EACH);
    }
}
