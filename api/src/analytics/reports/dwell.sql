-- Visits that ended in the period, by the hexagon (H3, resolution 10) of the door.
WITH ended AS (
    SELECT v.vehicle AS vehicle, v.dwell_s, s.service_s, s.lat, s.lng,
           h3_cell(s.lat, s.lng, 10) AS place
    FROM visits v JOIN stops s ON s.route = v.route AND s.stop = v.stop
    WHERE v.departed >= $from AND v.departed < $to
)
SELECT place, avg(lat) AS lat, avg(lng) AS lng, count(*) AS visits,
       count(DISTINCT vehicle) AS vehicles, sum(dwell_s) AS dwell_total_s, avg(dwell_s) AS dwell_avg_s,
       median(dwell_s) AS dwell_median_s, max(dwell_s) AS dwell_max_s,
       avg(service_s) AS planned_avg_s, avg(dwell_s - service_s) AS over_planned_avg_s
FROM ended WHERE $vehicle GROUP BY place ORDER BY dwell_total_s DESC, place
