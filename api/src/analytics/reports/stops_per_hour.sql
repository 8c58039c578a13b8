-- From the first arrival of a vehicle's day to its last departure.
WITH visited AS (
    SELECT CAST(local_time(arrived, $zone) AS date) AS day, vehicle, route || '/' || stop AS stop,
           arrived, coalesce(departed, arrived) AS departed
    FROM visits WHERE arrived >= $from AND arrived < $to AND $vehicle
),
counted AS (
    SELECT day, vehicle, count(DISTINCT stop) AS stops, min(arrived) AS first_arrived,
           max(departed) AS last_departed,
           seconds_between(min(arrived), max(departed)) / 3600 AS hours
    FROM visited GROUP BY day, vehicle
)
SELECT day, vehicle, stops, first_arrived, last_departed, hours,
       CASE WHEN hours > 0 THEN stops / hours END AS stops_per_hour
FROM counted ORDER BY day$then_vehicle
