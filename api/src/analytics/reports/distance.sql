-- A step counts on the day on which it ends.
SELECT CAST(local_time(time, $zone) AS date) AS day, vehicle,
       sum(metres) AS distance_m, sum(seconds) AS driving_s,
       sum(metres) / sum(seconds) AS avg_mps, max(speed_mps) AS max_mps,
       min(since) AS first_moved, max(time) AS last_moved
FROM steps WHERE moving AND time >= $from AND time < $to
GROUP BY CAST(local_time(time, $zone) AS date), vehicle ORDER BY day$then_vehicle
