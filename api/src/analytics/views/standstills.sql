-- A vehicle that stands once may serve several stops; the first names them.
WITH standing AS (
    SELECT vehicle, spell, since, until, seconds, lat, lng
    FROM spells WHERE NOT moving AND seconds >= 300
),
served AS (
    SELECT s.vehicle, s.spell, count(*) AS stops,
           first_by(v.route, v.arrived) AS route, first_by(v.stop, v.arrived) AS stop
    FROM standing s JOIN visits v ON v.vehicle = s.vehicle
        AND v.arrived < s.until AND coalesce(v.departed, s.until) > s.since
    GROUP BY s.vehicle, s.spell
)
SELECT s.vehicle, s.since, s.until, s.seconds AS dwell_s, s.lat, s.lng,
       h3_cell(s.lat, s.lng, 10) AS place,
       v.stops IS NOT NULL AS at_stop, v.route, v.stop, coalesce(v.stops, 0) AS stops
FROM standing s LEFT JOIN served v ON v.vehicle = s.vehicle AND v.spell = s.spell
