-- A receiver's speed is good to about 1 m/s, and a match below 0.8 may be the road beside it.
-- What is above the limit by less than 5 km/h is not counted. A minute of silence, or a fix within
-- the limit, ends a spell.
WITH limited AS (
    SELECT vehicle, time, seq, since, seconds, lat, lng, speed_mps, matched_way AS way,
           speed_limit_mps(matched_way) AS limit_mps
    FROM steps WHERE matched_confidence >= 0.8
),
judged AS (
    SELECT *, coalesce(speed_mps - limit_mps > 5 / 3.6, false) AS above FROM limited
),
turned AS (
    SELECT *, CASE WHEN above AND lag(above) OVER before
                        AND seconds_between(lag(time) OVER before, time) <= 60
                   THEN 0 ELSE 1 END AS turn
    FROM judged WINDOW before AS (PARTITION BY vehicle ORDER BY time, seq)
),
numbered AS (
    SELECT *, sum(turn) OVER (PARTITION BY vehicle ORDER BY time, seq
                              ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS spell
    FROM turned
)
SELECT vehicle, min(time) AS since, max(time) AS until,
       seconds_between(min(time), max(time)) AS seconds, count(*) AS fixes,
       max(speed_mps) AS max_mps, max(speed_mps - limit_mps) AS over_mps,
       last_by(limit_mps, speed_mps - limit_mps) AS limit_mps,
       last_by(way, speed_mps - limit_mps) AS way,
       last_by(lat, speed_mps - limit_mps) AS lat, last_by(lng, speed_mps - limit_mps) AS lng
FROM numbered WHERE above GROUP BY vehicle, spell
