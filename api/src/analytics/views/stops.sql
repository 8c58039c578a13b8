-- The newest version of a route in which a stop stands says what was planned for it.
WITH planned AS (
    SELECT vehicle, route, stop, "order", version, place, lat, lng, window_from, window_to,
           service_s,
           row_number() OVER (PARTITION BY route, stop ORDER BY version DESC, seq DESC) AS newest
    FROM etas WHERE place IS NOT NULL AND lat IS NOT NULL
),
happened AS (
    SELECT vehicle, route, stop,
           min(time) FILTER (WHERE type = 'arrived') AS arrived,
           max(time) FILTER (WHERE type = 'departed') AS departed,
           max(time) FILTER (WHERE type = 'completed') AS completed,
           max(time) FILTER (WHERE type = 'failed') AS failed,
           max(time) FILTER (WHERE type = 'skipped') AS skipped,
           max(cause) FILTER (WHERE type = 'failed') AS reason,
           min(time) FILTER (WHERE type = 'predicted_late') AS warned
    FROM events WHERE stop IS NOT NULL GROUP BY vehicle, route, stop
)
SELECT p.vehicle, p.route, p.stop, p."order", p.version, p.place, p.lat, p.lng,
       p.window_from, p.window_to, p.service_s,
       h.arrived, h.departed, h.warned,
       CASE WHEN h.failed IS NOT NULL THEN 'failed'
            WHEN h.completed IS NOT NULL THEN 'completed'
            WHEN h.skipped IS NOT NULL THEN 'skipped'
            WHEN h.departed IS NOT NULL THEN 'departed'
            WHEN h.arrived IS NOT NULL THEN 'arrived'
            ELSE 'open' END AS outcome,
       h.reason,
       date_part('epoch', h.departed - h.arrived) AS dwell_s,
       date_part('epoch', greatest(h.arrived, p.window_from) - p.window_to) AS late_s,
       h.arrived <= p.window_to AS on_time
FROM planned p
LEFT JOIN happened h ON h.vehicle = p.vehicle AND h.route = p.route AND h.stop = p.stop
WHERE p.newest = 1
