-- Stops with a window that closed in the period, by the day on which it closed. On time is who
-- arrived before it closed and was not turned away. The cause is what the engine said when it
-- foresaw the lateness.
WITH warned AS (
    SELECT route, stop, last_by(cause, time) AS cause
    FROM events WHERE type = 'predicted_late' GROUP BY route, stop
),
due AS (
    SELECT CAST(local_time(s.window_to, $zone) AS date) AS day, s.vehicle AS vehicle, s.late_s,
           CASE WHEN s.outcome IN ('failed', 'skipped') THEN s.outcome
                WHEN s.on_time THEN 'on_time'
                WHEN s.on_time IS NULL THEN 'not_reached'
                WHEN w.route IS NULL THEN 'unforeseen'
                WHEN w.cause LIKE 'slow traffic%' THEN 'traffic'
                WHEN w.cause LIKE 'stop % takes %' OR w.cause LIKE 'visits take %' THEN 'visits'
                WHEN w.cause LIKE 'stood %' THEN 'standing'
                WHEN w.cause LIKE 'has not left%' THEN 'depot'
                WHEN w.cause = 'off route' THEN 'off_route'
                WHEN w.cause = 'no signal' THEN 'no_signal'
                ELSE 'unknown' END AS what
    FROM stops s LEFT JOIN warned w ON w.route = s.route AND w.stop = s.stop
    WHERE s.window_to >= $from AND s.window_to < $to AND s.window_to <= $now
)
SELECT day, vehicle, count(*) AS stops,
       count(*) FILTER (WHERE what = 'on_time') AS on_time,
       CAST(count(*) FILTER (WHERE what = 'on_time') AS double) / count(*) AS on_time_rate,
       count(*) FILTER (WHERE what NOT IN ('on_time', 'failed', 'skipped', 'not_reached')) AS late,
       avg(late_s) FILTER (WHERE late_s > 0) AS late_avg_s,
       count(*) FILTER (WHERE what = 'traffic') AS late_by_traffic,
       count(*) FILTER (WHERE what = 'visits') AS late_by_visits,
       count(*) FILTER (WHERE what = 'standing') AS late_by_standing,
       count(*) FILTER (WHERE what = 'depot') AS late_by_depot,
       count(*) FILTER (WHERE what = 'off_route') AS late_by_off_route,
       count(*) FILTER (WHERE what = 'no_signal') AS late_by_no_signal,
       count(*) FILTER (WHERE what = 'unknown') AS late_by_unknown,
       count(*) FILTER (WHERE what = 'unforeseen') AS late_unforeseen,
       count(*) FILTER (WHERE what = 'failed') AS failed,
       count(*) FILTER (WHERE what = 'skipped') AS skipped,
       count(*) FILTER (WHERE what = 'not_reached') AS not_reached
FROM due WHERE $vehicle GROUP BY day, vehicle ORDER BY day$then_vehicle
