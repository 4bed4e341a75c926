//! One POST through `wasi:http/outgoing-handler`, and its whole answer.
//! INVARIANT: the body is finished before the request is handed over; the answer is read to its end.

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method, OutgoingBody,
    OutgoingRequest, Scheme,
};
use wasip2::io::streams::StreamError;

/// Bytes asked of a body at once.
const READ_BYTES: u64 = 16 * 1024;

/// What came back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// Sends `body` to `http://<authority><path>`; `token` stands for the secret that the host puts in its place.
pub(crate) fn post(
    authority: &str,
    path: &str,
    token: &str,
    body: &[u8],
) -> Result<Answer, String> {
    let headers = [
        (
            "authorization".to_owned(),
            format!("Bearer {token}").into_bytes(),
        ),
        ("content-type".to_owned(), b"application/json".to_vec()),
    ];
    let headers = Fields::from_list(&headers).map_err(|error| error.to_string())?;
    let request = OutgoingRequest::new(headers);
    let refused = |()| "a part of the request is malformed".to_owned();
    request.set_method(&Method::Post).map_err(refused)?;
    request.set_scheme(Some(&Scheme::Http)).map_err(refused)?;
    request.set_authority(Some(authority)).map_err(refused)?;
    request.set_path_with_query(Some(path)).map_err(refused)?;
    let open = request.body().map_err(refused)?;
    write(open, body)?;
    let answer = outgoing_handler::handle(request, None).map_err(|error| error.to_string())?;
    read(&wait(&answer)?)
}

fn write(body: OutgoingBody, bytes: &[u8]) -> Result<(), String> {
    let stream = body.write().map_err(|()| "the body has no stream")?;
    for chunk in bytes.chunks(4096) {
        stream
            .blocking_write_and_flush(chunk)
            .map_err(|error| error.to_string())?;
    }
    drop(stream);
    OutgoingBody::finish(body, None).map_err(|error| error.to_string())
}

fn wait(answer: &FutureIncomingResponse) -> Result<IncomingResponse, String> {
    // BOUND: the answer is there after one wait, or the step's deadline ends it.
    loop {
        match answer.get() {
            Some(Ok(response)) => return response.map_err(|error| error.to_string()),
            Some(Err(())) => return Err("the answer is gone".to_owned()),
            None => answer.subscribe().block(),
        }
    }
}

fn read(response: &IncomingResponse) -> Result<Answer, String> {
    let incoming: IncomingBody = response.consume().map_err(|()| "the answer has no body")?;
    let stream = incoming.stream().map_err(|()| "the answer has no stream")?;
    let mut body = Vec::new();
    // BOUND: every turn brings bytes or ends.
    loop {
        match stream.blocking_read(READ_BYTES) {
            Ok(chunk) => body.extend_from_slice(&chunk),
            Err(StreamError::Closed) => break,
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(Answer {
        status: response.status(),
        body,
    })
}
