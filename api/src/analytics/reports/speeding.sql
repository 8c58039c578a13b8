SELECT vehicle, since, until, seconds, fixes, max_mps, limit_mps, over_mps, way, lat, lng
FROM speeding WHERE since >= $from AND since < $to ORDER BY over_mps DESC$then_vehicle, since
