//! One request and its answer.
//! INVARIANT: an answer is read to its end, whatever its size.

use aim_sdk::serde_json::{Value, json};
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method, OutgoingBody,
    OutgoingRequest, RequestOptions, Scheme,
};
use wasip2::io::streams::StreamError;

type Outcome<T> = Result<T, String>;

fn text<'a>(request: &'a Value, name: &str) -> Option<&'a str> {
    request.get(name).and_then(Value::as_str)
}

/// Sends what `request` describes.
pub(crate) fn exchange(request: &Value) -> Outcome<Value> {
    let outgoing = OutgoingRequest::new(headers(request)?);
    describe(request, &outgoing)?;
    let options = request
        .get("timeout_ms")
        .and_then(Value::as_u64)
        .map(options);
    let body = text(request, "body");
    let is_late = text(request, "order") == Some("late");
    let answer = match body {
        None => outgoing_handler::handle(outgoing, options).map_err(|error| error.to_string())?,
        Some(bytes) if is_late => {
            let open = outgoing.body().map_err(|()| "no body")?;
            let answer =
                outgoing_handler::handle(outgoing, options).map_err(|error| error.to_string())?;
            write(open, bytes.as_bytes())?;
            answer
        }
        Some(bytes) => {
            let open = outgoing.body().map_err(|()| "no body")?;
            write(open, bytes.as_bytes())?;
            outgoing_handler::handle(outgoing, options).map_err(|error| error.to_string())?
        }
    };
    read(&wait(&answer)?)
}

fn headers(request: &Value) -> Outcome<Fields> {
    let fields = Fields::new();
    let listed = request.get("headers").and_then(Value::as_array);
    for pair in listed.into_iter().flatten() {
        let part = |at: usize| pair.get(at).and_then(Value::as_str).unwrap_or_default();
        fields
            .append(part(0), part(1).as_bytes())
            .map_err(|error| error.to_string())?;
    }
    if let Some(secret) = request.get("secret") {
        let part = |at: usize| secret.get(at).and_then(Value::as_str).unwrap_or_default();
        let placeholder =
            aim_sdk::secret::placeholder(part(2)).map_err(|error| format!("{error:?}"))?;
        let value = format!("{}{placeholder}", part(1));
        fields
            .set(part(0), &[value.into_bytes()])
            .map_err(|error| error.to_string())?;
    }
    Ok(fields)
}

fn describe(request: &Value, outgoing: &OutgoingRequest) -> Outcome<()> {
    let method = match text(request, "method").unwrap_or("GET") {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "PATCH" => Method::Patch,
        "OPTIONS" => Method::Options,
        other => Method::Other(other.to_owned()),
    };
    let scheme = match text(request, "scheme").unwrap_or("https") {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    let refused = |what: &'static str| move |()| format!("{what} refused");
    outgoing.set_method(&method).map_err(refused("method"))?;
    outgoing
        .set_scheme(Some(&scheme))
        .map_err(refused("scheme"))?;
    outgoing
        .set_authority(text(request, "authority"))
        .map_err(refused("authority"))?;
    outgoing
        .set_path_with_query(text(request, "path"))
        .map_err(refused("path"))?;
    let is_same = outgoing.authority().as_deref() == text(request, "authority")
        && outgoing.path_with_query().as_deref() == text(request, "path")
        && matches!(
            (outgoing.scheme(), &scheme),
            (Some(Scheme::Http), Scheme::Http) | (Some(Scheme::Https), Scheme::Https)
        );
    drop(outgoing.headers());
    drop(outgoing.method());
    if is_same {
        Ok(())
    } else {
        Err("a part did not read back".to_owned())
    }
}

fn options(timeout_ms: u64) -> RequestOptions {
    let options = RequestOptions::new();
    let ns = Some(timeout_ms.saturating_mul(1_000_000));
    // The host takes any wait and shortens what is longer than its own.
    let _ = options.set_connect_timeout(ns);
    let _ = options.set_first_byte_timeout(ns);
    let _ = options.set_between_bytes_timeout(ns);
    options
}

fn write(body: OutgoingBody, bytes: &[u8]) -> Outcome<()> {
    let stream = body.write().map_err(|()| "no stream")?;
    for chunk in bytes.chunks(4096) {
        stream
            .blocking_write_and_flush(chunk)
            .map_err(|error| error.to_string())?;
    }
    drop(stream);
    OutgoingBody::finish(body, None).map_err(|error| error.to_string())
}

fn wait(answer: &FutureIncomingResponse) -> Outcome<IncomingResponse> {
    // BOUND: the answer is there after one wait, or the step's deadline ends it.
    loop {
        match answer.get() {
            Some(Ok(response)) => return response.map_err(|error| error.to_string()),
            Some(Err(())) => return Err("taken twice".to_owned()),
            None => answer.subscribe().block(),
        }
    }
}

fn read(response: &IncomingResponse) -> Outcome<Value> {
    let headers: Vec<(String, String)> = response
        .headers()
        .entries()
        .into_iter()
        .map(|(name, value)| (name, String::from_utf8_lossy(&value).into_owned()))
        .collect();
    let body = response.consume().map_err(|()| "no body")?;
    let stream = body.stream().map_err(|()| "no stream")?;
    let mut bytes = Vec::new();
    // BOUND: every turn brings bytes or ends.
    loop {
        match stream.blocking_read(64 * 1024) {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => break,
            Err(error) => return Err(error.to_string()),
        }
    }
    drop(stream);
    let trailers = IncomingBody::finish(body);
    trailers.subscribe().block();
    if !matches!(trailers.get(), Some(Ok(Ok(None)))) {
        return Err("trailers out of nowhere".to_owned());
    }
    Ok(json!({
        "status": response.status(),
        "headers": headers,
        "body": String::from_utf8_lossy(&bytes),
    }))
}
