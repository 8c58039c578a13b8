WITH seen AS (
    SELECT vehicle, route, stop, "order", type, time,
           lead(type) OVER ahead AS next_type, lead(time) OVER ahead AS next_time
    FROM events WHERE type IN ('arrived', 'departed') AND stop IS NOT NULL
    WINDOW ahead AS (PARTITION BY vehicle, route, stop ORDER BY time, seq)
)
SELECT vehicle, route, stop, "order", time AS arrived,
       CASE WHEN next_type = 'departed' THEN next_time END AS departed,
       CASE WHEN next_type = 'departed' THEN seconds_between(time, next_time) END AS dwell_s
FROM seen WHERE type = 'arrived'
