//! Pays an order: one POST to the shop that the order names, with a token that this program never sees.
//! INVARIANT: at most one request is sent in an attempt; an answer that is no yes is never reported as one.
#![forbid(unsafe_code)]

mod request;

use aim_sdk::serde_json::{Value, json};
use aim_sdk::{Emission, Envelope, Step, StepError};

struct Payer;

impl Step for Payer {
    fn handle(envelope: Envelope) -> Result<Vec<Emission>, StepError> {
        let body: Value = aim_sdk::json::read(&envelope)?;
        let order = order(&body)?;
        let text = |name: &str| {
            let value = order.get(name).and_then(Value::as_str);
            value.ok_or_else(|| StepError::invalid_input(format!("the order has no `{name}`")))
        };
        let (id, shop, amount) = (text("id")?, text("shop")?, text("amount")?);
        let token = aim_sdk::secret::placeholder("pay-token")
            .map_err(|_| StepError::permanent("no-token", "the token is not granted"))?;
        let payment = json!({ "amount": amount, "order": id }).to_string();
        let answer = request::post(shop, "/payments", &token, payment.as_bytes());
        let answer = answer.map_err(|why| StepError::transient("not-sent", why))?;
        match answer.status {
            200..=299 => {
                let receipt = String::from_utf8_lossy(&answer.body).trim().to_owned();
                let paid = json!({ "order": id, "receipt": receipt, "status": answer.status });
                Ok(vec![aim_sdk::json::emit("paid", &paid)?])
            }
            status => {
                let why = format!("the shop answered {status}");
                Err(StepError::permanent("not-paid", why))
            }
        }
    }
}

/// The plan's input `order`, as JSON or as a text that holds it.
fn order(body: &Value) -> Result<Value, StepError> {
    match body.pointer("/order/value") {
        Some(Value::String(text)) => aim_sdk::serde_json::from_str(text)
            .map_err(|_| StepError::invalid_input("the order is no JSON")),
        Some(order) => Ok(order.clone()),
        None => Err(StepError::invalid_input("there is no order")),
    }
}

aim_sdk::export_step!(Payer);
