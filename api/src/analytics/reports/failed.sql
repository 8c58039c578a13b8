-- Deliveries whose visit failed in the period and was not made good since.
WITH failed AS (
    SELECT e.vehicle AS vehicle, e.route, e.stop, max(e.time) AS failed
    FROM events e WHERE e.type = 'failed' AND e.time >= $from AND e.time < $to
    GROUP BY e.vehicle, e.route, e.stop
),
told AS (
    SELECT f.vehicle AS vehicle, f.failed, s."order", coalesce(s.reason, 'no reason given') AS cause
    FROM failed f JOIN stops s ON s.route = f.route AND s.stop = f.stop AND s.outcome = 'failed'
)
SELECT cause, count(*) AS deliveries,
       CAST(count(*) AS double) / sum(count(*)) OVER () AS share,
       count(DISTINCT vehicle) AS vehicles, min(failed) AS first_failed, max(failed) AS last_failed,
       last_by("order", failed) AS last_order
FROM told WHERE $vehicle GROUP BY cause ORDER BY deliveries DESC, cause
