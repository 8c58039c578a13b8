-- What is planned for a stop stands in the newest whole version of its route. A stop that the
-- newest version has no more was moved away or left out; it is listed if it was visited before.
WITH said AS (
    SELECT vehicle, route, stop, "order", version, seq, place, lat, lng, window_from, window_to,
           service_s,
           first_value(vehicle) OVER newest AS newest_vehicle,
           first_value(seq) OVER newest AS newest_seq,
           row_number() OVER (PARTITION BY route, stop ORDER BY version DESC, time DESC, seq DESC)
               AS age
    FROM etas WHERE place IS NOT NULL
    WINDOW newest AS (PARTITION BY route ORDER BY version DESC, time DESC, seq DESC)
),
-- Whoever visits it: a route may have changed its vehicle since.
happened AS (
    SELECT route, stop,
           last_by(vehicle, time)
               FILTER (WHERE type IN ('arrived', 'completed', 'failed', 'skipped')) AS vehicle,
           min(time) FILTER (WHERE type = 'arrived') AS arrived,
           max(time) FILTER (WHERE type = 'departed') AS departed,
           max(time) FILTER (WHERE type = 'completed') AS completed,
           last_by(type, time) FILTER (WHERE type IN ('completed', 'failed', 'skipped')) AS ended,
           last_by(cause, time) FILTER (WHERE type = 'failed') AS reason,
           min(time) FILTER (WHERE type = 'predicted_late') AS warned
    FROM events WHERE stop IS NOT NULL GROUP BY route, stop
),
stayed AS (
    SELECT route, stop, sum(dwell_s) AS dwell_s, count(*) AS visits FROM visits GROUP BY route, stop
),
-- Who only told that it was done had been there by then.
judged AS (
    SELECT p.*, coalesce(h.vehicle, p.vehicle) AS who, h.arrived, h.departed, h.warned, h.ended,
           CASE WHEN h.ended = 'failed' THEN h.reason END AS reason,
           coalesce(h.arrived, CASE WHEN h.ended = 'completed' THEN h.completed END) AS reached
    FROM said p LEFT JOIN happened h ON h.route = p.route AND h.stop = p.stop
    WHERE p.age = 1
)
SELECT j.who AS vehicle, j.route, j.stop, j."order", j.version, j.place, j.lat, j.lng,
       j.window_from, j.window_to, j.service_s, j.arrived, j.departed, j.warned,
       CASE WHEN j.ended IS NOT NULL THEN j.ended
            WHEN j.departed IS NOT NULL THEN 'departed'
            WHEN j.arrived IS NOT NULL THEN 'arrived'
            ELSE 'open' END AS outcome,
       j.reason, s.dwell_s, coalesce(s.visits, 0) AS visits,
       seconds_between(j.window_to, greatest(j.reached, j.window_from)) AS late_s,
       j.reached <= j.window_to AS on_time
FROM judged j LEFT JOIN stayed s ON s.route = j.route AND s.stop = j.stop
WHERE (j.vehicle = j.newest_vehicle AND j.seq = j.newest_seq)
   OR j.arrived IS NOT NULL OR j.ended IS NOT NULL
