//! Areas on the globe: GeoJSON polygons to a look-up by latitude and longitude.
//!
//! Sides are straight lines on the plane of longitude and latitude, as GeoJSON (RFC 7946) has them. A ring is unwrapped:
//! each corner lies at most half a turn east or west of the one before, so an area may cross the antimeridian, and a
//! point is looked for at its longitude and whole turns beside it. Borders are inside, those of holes too. The first
//! feature of the file that holds a point is found.
//!
//! Invariant: `rows[i]` of the table is the properties of feature `i` of [`Polygons`].

use serde_json::Value as Json;

use crate::base::Value;

/// Areas in the order of the file.
#[derive(Debug, Default)]
pub struct Polygons {
    features: Vec<Feature>,
}

/// The polygons of one feature.
#[derive(Debug)]
struct Feature {
    polygons: Vec<Polygon>,
}

/// A ring, what is cut out of it, and the box around it.
#[derive(Debug)]
struct Polygon {
    outer: Ring,
    holes: Vec<Ring>,
}

#[derive(Debug)]
struct Ring {
    /// Longitude and latitude; closed: the last is the first.
    corners: Vec<(f64, f64)>,
    west: f64,
    east: f64,
    south: f64,
    north: f64,
}

/// Where a point lies with regard to a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Outside,
    Border,
    Inside,
}

impl Polygons {
    /// Reads a Feature, a FeatureCollection, or a bare geometry; gives the areas and the properties of each.
    ///
    /// # Errors
    /// A sentence with the number of the feature, from 1, that is no area.
    pub fn read(bytes: &[u8]) -> Result<(Self, Vec<Value>), String> {
        let root: Json = serde_json::from_slice(bytes).map_err(|e| format!("this is no JSON: {e}"))?;
        let features: Vec<&Json> = match root.get("type").and_then(Json::as_str) {
            Some("FeatureCollection") => root
                .get("features")
                .and_then(Json::as_array)
                .ok_or("a FeatureCollection has a list of `features`")?
                .iter()
                .collect(),
            Some("Feature" | "Polygon" | "MultiPolygon") => vec![&root],
            Some(other) => return Err(format!("a `{other}` is no area: Polygon and MultiPolygon are")),
            None => return Err("this is no GeoJSON: it has no `type`".to_owned()),
        };
        let (mut areas, mut rows) = (Self::default(), Vec::new());
        for (i, feature) in features.into_iter().enumerate() {
            let polygons = read_feature(feature).map_err(|why| format!("feature {}: {why}", i + 1))?;
            areas.features.push(Feature { polygons });
            rows.push(match feature.get("properties") {
                Some(properties @ Json::Object(_)) => Value::from_json(properties),
                _ => Value::Object(Box::default()),
            });
        }
        Ok((areas, rows))
    }

    /// The first feature that holds a point, in degrees.
    pub fn find(&self, lat: f64, lon: f64) -> Option<u32> {
        if !(-90.0..=90.0).contains(&lat) || !lon.is_finite() {
            return None;
        }
        let holds = |f: &Feature| f.polygons.iter().any(|p| p.holds(lat, lon));
        self.features.iter().position(holds).map(|at| at as u32)
    }

    /// The box around the first polygon of a feature: south, west, north, east.
    pub fn area(&self, feature: u32) -> Option<[f64; 4]> {
        let ring = &self.features.get(feature as usize)?.polygons.first()?.outer;
        Some([ring.south, ring.west, ring.north, ring.east])
    }
}

impl Polygon {
    fn holds(&self, lat: f64, lon: f64) -> bool {
        self.outer.place(lat, lon) != Place::Outside
            && self.holes.iter().all(|hole| hole.place(lat, lon) != Place::Inside)
    }
}

impl Ring {
    /// Where a point lies, whichever turn of the globe its longitude is written on.
    fn place(&self, lat: f64, lon: f64) -> Place {
        if lat < self.south || lat > self.north {
            return Place::Outside;
        }
        // The westernmost writing of the longitude that is not west of the ring, then whole turns to its east.
        let mut lon = lon - ((lon - self.west) / 360.0).floor() * 360.0;
        let mut place = Place::Outside;
        while lon <= self.east {
            match self.place_at(lat, lon) {
                Place::Border => return Place::Border,
                Place::Inside => place = Place::Inside,
                Place::Outside => {}
            }
            lon += 360.0;
        }
        place
    }

    /// By the sides that a ray to the east crosses.
    fn place_at(&self, lat: f64, lon: f64) -> Place {
        let mut inside = false;
        for side in self.corners.windows(2) {
            let ((x0, y0), (x1, y1)) = (side[0], side[1]);
            if lat < y0.min(y1) || lat > y0.max(y1) {
                continue;
            }
            // Twice the area of the triangle of the side and the point: 0 on the line through the side.
            let turn = (x1 - x0) * (lat - y0) - (y1 - y0) * (lon - x0);
            if turn == 0.0 && lon >= x0.min(x1) && lon <= x0.max(x1) {
                return Place::Border;
            }
            // Each side has its lower end and not its upper one, so a corner is crossed once.
            if (y0 > lat) != (y1 > lat) && (turn > 0.0) == (y1 > y0) {
                inside = !inside;
            }
        }
        if inside { Place::Inside } else { Place::Outside }
    }
}

fn read_feature(feature: &Json) -> Result<Vec<Polygon>, String> {
    let geometry = match feature.get("type").and_then(Json::as_str) {
        Some("Feature") => feature.get("geometry").filter(|g| !g.is_null()).ok_or("it has no `geometry`")?,
        Some("Polygon" | "MultiPolygon") => feature,
        Some(other) => return Err(format!("a `{other}` stands where a Feature is expected")),
        None => return Err("it has no `type`".to_owned()),
    };
    let coordinates = geometry.get("coordinates").and_then(Json::as_array);
    let coordinates = || coordinates.ok_or_else(|| "its geometry has no list of `coordinates`".to_owned());
    match geometry.get("type").and_then(Json::as_str) {
        Some("Polygon") => Ok(vec![read_polygon(coordinates()?)?]),
        Some("MultiPolygon") => coordinates()?
            .iter()
            .enumerate()
            .map(|(i, polygon)| {
                let rings = polygon.as_array().ok_or("not a list of rings".to_owned());
                rings.and_then(|rings| read_polygon(rings)).map_err(|why| format!("polygon {}: {why}", i + 1))
            })
            .collect(),
        Some(other) => Err(format!("a `{other}` is no area: Polygon and MultiPolygon are")),
        None => Err("its geometry has no `type`".to_owned()),
    }
}

fn read_polygon(rings: &[Json]) -> Result<Polygon, String> {
    let mut read = Vec::with_capacity(rings.len());
    for (i, ring) in rings.iter().enumerate() {
        read.push(read_ring(ring).map_err(|why| format!("ring {}: {why}", i + 1))?);
    }
    let mut rings = read.into_iter();
    let outer = rings.next().ok_or("a polygon without rings")?;
    Ok(Polygon { outer, holes: rings.collect() })
}

fn read_ring(ring: &Json) -> Result<Ring, String> {
    let positions = ring.as_array().ok_or("not a list of positions")?;
    let mut corners: Vec<(f64, f64)> = Vec::with_capacity(positions.len() + 1);
    for (i, position) in positions.iter().enumerate() {
        let number = |at: usize| position.get(at).and_then(Json::as_f64);
        let (Some(lon), Some(lat)) = (number(0), number(1)) else {
            return Err(format!("position {} is not [longitude, latitude]", i + 1));
        };
        if !(-90.0..=90.0).contains(&lat) {
            return Err(format!("position {}: the latitude {lat} is beyond a pole; longitude comes first", i + 1));
        }
        if !(-540.0..=540.0).contains(&lon) {
            return Err(format!("position {}: the longitude {lon} is no angle in degrees", i + 1));
        }
        // A step of more than half a turn is meant as the shorter one, the other way round.
        let lon = match corners.last() {
            Some((before, _)) if lon - before > 180.0 => lon - 360.0 * ((lon - before - 180.0) / 360.0).ceil(),
            Some((before, _)) if lon - before < -180.0 => lon + 360.0 * ((before - lon - 180.0) / 360.0).ceil(),
            _ => lon,
        };
        corners.push((lon, lat));
    }
    if corners.len() > 1 && corners.first() == corners.last() {
        corners.pop();
    }
    if corners.len() < 3 {
        return Err(format!("{} different positions make no area", corners.len()));
    }
    if (corners[0].0 - corners[corners.len() - 1].0).abs() > 180.0 {
        return Err("it goes round a pole: split it at the antimeridian".to_owned());
    }
    corners.push(corners[0]);
    let fold =
        |f: fn(f64, f64) -> f64, of: fn(&(f64, f64)) -> f64| corners.iter().map(of).reduce(f).unwrap_or_default();
    let (west, east) = (fold(f64::min, |c| c.0), fold(f64::max, |c| c.0));
    let (south, north) = (fold(f64::min, |c| c.1), fold(f64::max, |c| c.1));
    Ok(Ring { west, east, south, north, corners })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn areas(text: &str) -> (Polygons, Vec<Value>) {
        Polygons::read(text.as_bytes()).unwrap_or_else(|e| panic!("{e}"))
    }

    fn square(west: f64, south: f64, east: f64, north: f64) -> String {
        format!("[[{west},{south}],[{east},{south}],[{east},{north}],[{west},{north}],[{west},{south}]]")
    }

    #[test]
    fn borders_and_corners_are_inside() {
        let (a, _) = areas(&format!(r#"{{"type":"Polygon","coordinates":[{}]}}"#, square(10.0, 50.0, 12.0, 52.0)));
        for (lat, lon) in [(51.0, 11.0), (50.0, 11.0), (52.0, 12.0), (51.0, 10.0), (50.0, 10.0), (51.0, 371.0)] {
            assert_eq!(a.find(lat, lon), Some(0), "{lat} {lon}");
        }
        for (lat, lon) in [(49.999, 11.0), (52.001, 11.0), (51.0, 9.999), (51.0, 12.001), (51.0, 191.0), (95.0, 11.0)] {
            assert_eq!(a.find(lat, lon), None, "{lat} {lon}");
        }
    }

    #[test]
    fn a_ray_through_a_corner_counts_once() {
        let (a, _) = areas(r#"{"type":"Polygon","coordinates":[[[0,0],[2,1],[4,0],[2,4],[0,0]]]}"#);
        assert_eq!(a.find(1.0, 1.0), Some(0));
        assert_eq!(a.find(0.5, 2.0), None);
        assert_eq!(a.find(0.0, 2.0), None);
        assert_eq!(a.find(1.0, 2.0), Some(0));
    }

    #[test]
    fn holes_are_outside_and_their_borders_are_not() {
        let text = format!(
            r#"{{"type":"Polygon","coordinates":[{},{}]}}"#,
            square(0.0, 0.0, 10.0, 10.0),
            square(4.0, 4.0, 6.0, 6.0)
        );
        let (a, _) = areas(&text);
        assert_eq!(a.find(5.0, 5.0), None);
        assert_eq!(a.find(4.0, 5.0), Some(0));
        assert_eq!(a.find(3.0, 5.0), Some(0));
    }

    #[test]
    fn an_area_may_cross_the_antimeridian() {
        for text in [
            r#"{"type":"Polygon","coordinates":[[[177,-20],[-178,-20],[-178,-15],[177,-15],[177,-20]]]}"#,
            r#"{"type":"Polygon","coordinates":[[[177,-20],[182,-20],[182,-15],[177,-15],[177,-20]]]}"#,
            r#"{"type":"Polygon","coordinates":[[[-183,-20],[-178,-20],[-178,-15],[-183,-15]]]}"#,
        ] {
            let (a, _) = areas(text);
            for lon in [177.0, 179.9, 180.0, -180.0, -179.0, -178.0, 182.0] {
                assert_eq!(a.find(-17.0, lon), Some(0), "{lon} in {text}");
            }
            for lon in [176.9, -177.9, 0.0, 90.0] {
                assert_eq!(a.find(-17.0, lon), None, "{lon} in {text}");
            }
        }
    }

    #[test]
    fn the_first_feature_of_several_is_found_and_a_multipolygon_is_one() {
        let text = format!(
            r#"{{"type":"FeatureCollection","features":[
                {{"type":"Feature","properties":{{"name":"two"}},"geometry":{{"type":"MultiPolygon","coordinates":[[{}],[{}]]}}}},
                {{"type":"Feature","properties":{{"name":"all"}},"geometry":{{"type":"Polygon","coordinates":[{}]}}}},
                {{"type":"Feature","properties":null,"geometry":{{"type":"Polygon","coordinates":[{}]}}}}]}}"#,
            square(0.0, 0.0, 1.0, 1.0),
            square(5.0, 5.0, 6.0, 6.0),
            square(0.0, 0.0, 10.0, 10.0),
            square(20.0, 0.0, 21.0, 1.0)
        );
        let (a, rows) = areas(&text);
        assert_eq!((a.find(0.5, 0.5), a.find(5.5, 5.5), a.find(3.0, 3.0)), (Some(0), Some(0), Some(1)));
        assert_eq!(a.find(0.5, 20.5), Some(2));
        assert_eq!(rows.len(), 3);
    }

    #[test]
    fn what_is_no_area_is_refused_with_its_feature() {
        let feature = |geometry: &str| {
            let good = format!(r#"{{"type":"Polygon","coordinates":[{}]}}"#, square(0.0, 0.0, 1.0, 1.0));
            let of = |g: &str| format!(r#"{{"type":"Feature","properties":{{}},"geometry":{g}}}"#);
            let text = format!(r#"{{"type":"FeatureCollection","features":[{},{}]}}"#, of(&good), of(geometry));
            Polygons::read(text.as_bytes()).expect_err("no area")
        };
        let cases = [
            (
                r#"{"type":"Point","coordinates":[1,2]}"#,
                "feature 2: a `Point` is no area: Polygon and MultiPolygon are",
            ),
            ("null", "feature 2: it has no `geometry`"),
            (
                r#"{"type":"Polygon","coordinates":[[[0,0],[1,1],[0,0]]]}"#,
                "feature 2: ring 1: 2 different positions make no area",
            ),
            (
                r#"{"type":"Polygon","coordinates":[[[52,113],[53,113],[53,114]]]}"#,
                "feature 2: ring 1: position 1: the latitude 113 is beyond a pole; longitude comes first",
            ),
            (
                r#"{"type":"MultiPolygon","coordinates":[[[[0,0],[1,0],["x",1]]]]}"#,
                "feature 2: polygon 1: ring 1: position 3 is not [longitude, latitude]",
            ),
            (r#"{"type":"Polygon","coordinates":[]}"#, "feature 2: a polygon without rings"),
            (
                r#"{"type":"Polygon","coordinates":[[[0,80],[120,80],[-120,80]]]}"#,
                "feature 2: ring 1: it goes round a pole: split it at the antimeridian",
            ),
        ];
        for (geometry, wanted) in cases {
            assert_eq!(feature(geometry), wanted);
        }
        assert!(Polygons::read(b"[]").is_err());
        assert!(Polygons::read(b"{").is_err());
        assert!(Polygons::read(br#"{"type":"LineString"}"#).is_err());
    }
}
