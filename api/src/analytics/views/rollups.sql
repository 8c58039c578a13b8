-- A step counts where it ends; one of more than an hour is a silence, not a drive.
SELECT vehicle, time_bucket(INTERVAL '10 minutes', time) AS bucket, count(*) AS fixes,
       coalesce(sum(seconds) FILTER (WHERE moving AND seconds <= 3600), 0) AS moving_s,
       coalesce(sum(metres) FILTER (WHERE moving AND seconds <= 3600), 0) AS distance_m,
       avg(speed_mps) AS avg_mps, max(speed_mps) AS max_mps,
       first_by(lat, time) AS first_lat, first_by(lng, time) AS first_lng,
       last_by(lat, time) AS last_lat, last_by(lng, time) AS last_lng
FROM steps GROUP BY vehicle, time_bucket(INTERVAL '10 minutes', time)
