-- Names of devices that a restored backup does not have, because they were added after it.

CREATE TABLE lost_names (
    name                  TEXT    NOT NULL PRIMARY KEY,
    -- The zone may be lost too.
    zone                  TEXT    NOT NULL,
    -- From when on nothing is valid any more that was issued for it.
    free_from             INTEGER NOT NULL,
    -- Since when it is withdrawn; none if it was not when it was lost.
    withdrawn             INTEGER
);
CREATE INDEX lost_names_zone ON lost_names (zone, free_from);
