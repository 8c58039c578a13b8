-- A prediction is judged by the vehicle that it was made for, and by its first arrival: what was
-- said of a stop before it was given to another vehicle came neither true nor false.
WITH reached AS (
    SELECT vehicle, route, stop, min(time) AS arrived
    FROM events WHERE type = 'arrived' AND stop IS NOT NULL GROUP BY vehicle, route, stop
)
SELECT e.vehicle, e.route, e.stop, e."order", e.version, e.time AS said_at, e.p10, e.p50, e.p90,
       e.miss, r.arrived,
       seconds_between(e.time, r.arrived) AS lead_s,
       seconds_between(r.arrived, e.p50) AS error_s,
       r.arrived BETWEEN e.p10 AND e.p90 AS covered
FROM etas e JOIN reached r ON r.vehicle = e.vehicle AND r.route = e.route AND r.stop = e.stop
WHERE e.p50 IS NOT NULL AND e.time < r.arrived
