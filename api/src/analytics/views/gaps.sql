WITH linked AS (
    SELECT vehicle, time, lat, lng, route, lag(time) OVER before AS since,
           lag(lat) OVER before AS from_lat, lag(lng) OVER before AS from_lng,
           lag(route) OVER before AS from_route
    FROM positions
    WINDOW before AS (PARTITION BY vehicle ORDER BY time, seq)
)
SELECT vehicle, since, time AS until, seconds_between(since, time) AS seconds,
       from_lat, from_lng, lat AS to_lat, lng AS to_lng,
       distance_m(from_lat, from_lng, lat, lng) AS metres, from_route AS route
FROM linked WHERE seconds_between(since, time) > 300
