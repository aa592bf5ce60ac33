mod json;

use json::Value;
use neira::{io, storage, Level, ListOptions};

neira::plugin!(handle);

const FAVOURITES: usize = 3;

/// Called once for every event. Nothing in memory outlives it: what is to stay goes into storage.
fn handle(input: &str) -> Result<String, String> {
    let event = json::parse(input)?;
    let name = event
        .find(&["payload", "params", "name"])
        .and_then(Value::text)
        .ok_or("the event has no text payload.params.name")?;
    let settings = json::parse(&storage::settings())?;
    let greeting = settings.find(&["greeting"]).and_then(Value::text).unwrap_or("Good day");

    // Reads see what was committed, and what this call has written so far. A refusal that is let through with `?`
    // fails the turn with its code.
    let key = format!("visits/{name}");
    let visits = match storage::get(&key)? {
        Some(entry) => number(&entry.value)? + 1,
        None => 1,
    };
    // Writes, sends and publishes happen together when this has answered, or not at all when it fails.
    storage::set(&key, &visits.to_string(), None)?;

    let note = format!("{{\"name\":{},\"visits\":{visits}}}", json::quoted(name));
    if let Err(refusal) = io::send("console", "greetings", &note, None) {
        // Without that permission it greets all the same; whatever else is wrong is not for it to judge.
        if refusal.code != "NEIRA_PERMISSION_DENIED" {
            return Err(refusal.into());
        }
        io::log(Level::Warn, &refusal.message);
    }

    let said = format!("{greeting}, {name}. This is visit {visits}. Most often here: {}.", favourites()?);
    // Lines of the log are kept also when the turn fails; see them with `neira plugin logs`.
    io::log(Level::Info, &said);
    Ok(format!("{{\"actions\":[{{\"type\":\"notify\",\"text\":{}}}]}}", json::quoted(&said)))
}

/// The names with the most visits, read page by page.
fn favourites() -> Result<String, String> {
    let mut visits: Vec<(u64, String)> = Vec::new();
    let mut after = None;
    loop {
        let options = ListOptions { after, ..Default::default() };
        let page = storage::list("visits/", Some(&options))?;
        after = match page.last() {
            Some(entry) => Some(entry.key.clone()),
            None => break,
        };
        for entry in page {
            visits.push((number(&entry.value)?, entry.key["visits/".len()..].to_string()));
        }
    }
    visits.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
    let names: Vec<String> = visits.into_iter().take(FAVOURITES).map(|(_, name)| name).collect();
    Ok(names.join(", "))
}

fn number(json: &str) -> Result<u64, String> {
    json.parse().map_err(|_| format!("{json} is no number of visits"))
}
