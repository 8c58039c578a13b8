-- Of a vehicle with several devices the one that was followed, backfilled or not: what others saw
-- of the same drive would only make it longer. Who is silent for an hour is followed no more.
WITH heard AS (
    SELECT vehicle, time, seq, device, lat, lng, speed_mps, matched_way, matched_confidence, route,
           last_value(CASE WHEN NOT backfill THEN device END) IGNORE NULLS OVER so_far AS newest,
           last_value(CASE WHEN NOT backfill THEN time END) IGNORE NULLS OVER so_far AS heard_at
    FROM positions WHERE valid
    WINDOW so_far AS (PARTITION BY vehicle ORDER BY time, seq
                      ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
),
fixes AS (
    SELECT *, CASE WHEN seconds_between(heard_at, time) <= 3600 THEN newest ELSE device END
                  AS followed
    FROM heard
),
linked AS (
    SELECT vehicle, time, seq, lat, lng, speed_mps, matched_way, matched_confidence, route,
           lag(time) OVER before AS since, lag(lat) OVER before AS from_lat,
           lag(lng) OVER before AS from_lng, lag(speed_mps) OVER before AS from_mps
    FROM fixes WHERE device = followed
    WINDOW before AS (PARTITION BY vehicle ORDER BY time, seq)
),
measured AS (
    SELECT *, seconds_between(since, time) AS seconds,
           distance_m(from_lat, from_lng, lat, lng) AS metres
    FROM linked
)
-- Slower than 1 m/s is noise of a receiver that stands. After a silence of more than five minutes
-- only the way tells whether it was driven.
SELECT vehicle, time, seq, lat, lng, speed_mps, matched_way, matched_confidence, route,
       since, from_lat, from_lng, seconds, metres,
       CASE WHEN since IS NULL OR seconds <= 0 THEN false
            WHEN seconds <= 300 AND (speed_mps IS NOT NULL OR from_mps IS NOT NULL)
                THEN greatest(coalesce(speed_mps, 0), coalesce(from_mps, 0)) >= 1
            ELSE metres / seconds >= 1 END AS moving
FROM measured
