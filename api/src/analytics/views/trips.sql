-- A trip ends where the vehicle stands for five minutes; shorter halts belong to it. What is
-- shorter than 100 m is no trip but a receiver that wanders, or a van put elsewhere in the yard.
WITH counted AS (
    SELECT *, sum(CASE WHEN NOT moving AND seconds >= 300 THEN 1 ELSE 0 END) OVER (
                  PARTITION BY vehicle ORDER BY spell
                  ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS trip
    FROM spells
),
gathered AS (
    SELECT vehicle, trip,
           min(since) FILTER (WHERE moving) AS started,
           max(until) FILTER (WHERE moving) AS ended,
           first_by(from_lat, since) FILTER (WHERE moving) AS start_lat,
           first_by(from_lng, since) FILTER (WHERE moving) AS start_lng,
           last_by(to_lat, until) FILTER (WHERE moving) AS end_lat,
           last_by(to_lng, until) FILTER (WHERE moving) AS end_lng,
           sum(metres) FILTER (WHERE moving) AS distance_m,
           sum(seconds) FILTER (WHERE moving) AS moving_s,
           max(max_mps) FILTER (WHERE moving) AS max_mps
    FROM counted GROUP BY vehicle, trip
)
SELECT vehicle, started, ended, start_lat, start_lng, end_lat, end_lng, distance_m,
       seconds_between(started, ended) AS duration_s, moving_s,
       distance_m / moving_s AS avg_mps, max_mps
FROM gathered WHERE distance_m >= 100
