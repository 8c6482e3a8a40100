-- The scope of a record may end with the address that an act came from, also where the rest of it decides something (asked-in=, role=).
-- Whoever is older would not understand that, so no older program begins to work here; while one still does, none is written there.
SELECT 1;
