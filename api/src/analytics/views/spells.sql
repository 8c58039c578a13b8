WITH turned AS (
    SELECT *, CASE WHEN moving = lag(moving) OVER (PARTITION BY vehicle ORDER BY time, seq)
                   THEN 0 ELSE 1 END AS turn
    FROM steps WHERE since IS NOT NULL
),
numbered AS (
    SELECT *, sum(turn) OVER (PARTITION BY vehicle ORDER BY time, seq
                              ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS spell
    FROM turned
)
SELECT vehicle, spell, moving, min(since) AS since, max(time) AS until,
       sum(seconds) AS seconds, sum(metres) AS metres, count(*) AS fixes,
       max(speed_mps) AS max_mps,
       first_by(from_lat, time) AS from_lat, first_by(from_lng, time) AS from_lng,
       last_by(lat, time) AS to_lat, last_by(lng, time) AS to_lng,
       avg(lat) AS lat, avg(lng) AS lng
FROM numbered GROUP BY vehicle, spell, moving
