-- Stops reached in the period, by the hexagon (H3, resolution 8) of the door. Who is early is not
-- late by less than nothing.
WITH reached AS (
    SELECT h3_cell(lat, lng, 8) AS cell, greatest(late_s, 0) AS delay_s, on_time
    FROM stops WHERE arrived >= $from AND arrived < $to AND late_s IS NOT NULL AND $vehicle
)
SELECT cell, h3_lat(cell) AS lat, h3_lng(cell) AS lng, count(*) AS stops,
       count(*) FILTER (WHERE NOT on_time) AS late,
       avg(delay_s) AS delay_avg_s, max(delay_s) AS delay_max_s, h3_boundary(cell) AS boundary
FROM reached GROUP BY cell ORDER BY delay_avg_s DESC, cell
