//! Much at once: nothing is lost, and what it took is printed.

use super::*;

const ROUTES: usize = 1_000;
const CLIENTS: usize = 8;
const VEHICLES: u64 = 500;
const EACH: u64 = 100;

/// Processor time of the threads of a name, microseconds; 0 where the system does not tell.
fn cpu_us(name: &str) -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let of = |task: std::fs::DirEntry| {
        let read = |file: &str| std::fs::read_to_string(task.path().join(file)).ok();
        let ours = read("comm")?.trim() == name;
        let spent = read("schedstat")?.split(' ').next()?.parse::<f64>().ok()?;
        ours.then_some(spent / 1e3)
    };
    tasks.filter_map(of).sum()
}

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
    println!("{:.0} µs of api-store a PUT", cpu_us("api-store") / ROUTES as f64);
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
    for thread in ["api-live", "api-history"] {
        println!("{:.1} µs of {thread} an output", cpu_us(thread) / outputs);
    }
    for key in &keys {
        let vehicle = key.strip_prefix("acme/").unwrap();
        world.until(&format!("/v1/vehicles/{vehicle}/position"), |_, json| json["seq"] == EACH);
    }
}
