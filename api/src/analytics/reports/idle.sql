-- Standing for at least five minutes where no stop is, between the first and the last drive of a
-- day, by the day on which it begins. Nights are not idle.
WITH working AS (
    SELECT CAST(local_time(started, $zone) AS date) AS day, vehicle,
           min(started) AS first_moved, max(ended) AS last_moved
    FROM trips GROUP BY CAST(local_time(started, $zone) AS date), vehicle
),
idle AS (
    SELECT w.day, s.vehicle AS vehicle, s.since, s.lat, s.lng,
           seconds_between(greatest(s.since, $from), least(s.until, $to)) AS idle_s
    FROM standstills s JOIN working w ON w.vehicle = s.vehicle
        AND w.day = CAST(local_time(s.since, $zone) AS date)
        AND s.since >= w.first_moved AND s.until <= w.last_moved
    WHERE NOT s.at_stop AND s.until > $from AND s.since < $to
)
SELECT day, vehicle, count(*) AS standstills, sum(idle_s) AS idle_s, max(idle_s) AS longest_s,
       last_by(since, idle_s) AS longest_since, last_by(lat, idle_s) AS longest_lat,
       last_by(lng, idle_s) AS longest_lng
FROM idle GROUP BY day, vehicle ORDER BY day$then_vehicle
