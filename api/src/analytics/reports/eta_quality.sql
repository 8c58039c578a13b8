-- Every published arrival of the stops reached in the period, by how long before. An error above
-- 0 said a later time than it was.
WITH judged AS (
    SELECT *, CASE WHEN lead_s < 300 THEN 0 WHEN lead_s < 600 THEN 5 WHEN lead_s < 1200 THEN 10
                   WHEN lead_s < 1800 THEN 20 WHEN lead_s < 3600 THEN 30 WHEN lead_s < 7200 THEN 60
                   ELSE 120 END AS lead_from_min
    FROM eta_outcomes WHERE arrived >= $from AND arrived < $to AND $vehicle
)
SELECT lead_from_min,
       CASE lead_from_min WHEN 0 THEN 5 WHEN 5 THEN 10 WHEN 10 THEN 20 WHEN 20 THEN 30
                          WHEN 30 THEN 60 WHEN 60 THEN 120 END AS lead_to_min,
       count(*) AS predictions, count(DISTINCT route || '/' || stop) AS stops,
       avg(abs(error_s)) AS mae_s, avg(error_s) AS bias_s, sqrt(avg(error_s * error_s)) AS rmse_s,
       avg(CASE WHEN covered THEN 1.0 ELSE 0.0 END) AS coverage,
       avg(seconds_between(p10, p90)) AS width_s
FROM judged GROUP BY lead_from_min ORDER BY lead_from_min
