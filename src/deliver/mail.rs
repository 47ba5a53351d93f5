//! Mail through the program's own server, one recipient at a time, so that a bad one is set aside and the rest are sent.
//!
//! Up to the answer to DATA nothing can have arrived; from the first byte of the message on it may have (RFC 5321,
//! section 4.2.5). A password goes out only over TLS, except to a server on this machine.

use std::time::Duration;

use lettre::Address;
use lettre::message::Mailbox;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use secrecy::ExposeSecret;

use super::{End, Parcel, read_secret, said};
use crate::config::{DeliveryConfig, Security};

/// The longest that everything up to the message may take, and the message itself.
const OPENING: Duration = Duration::from_mins(1);
const HANDING_OVER: Duration = Duration::from_mins(3);
/// One answer of the server.
const ANSWER: Duration = Duration::from_secs(45);

/// A connection on which the server waits for the message.
pub(super) struct Open(AsyncSmtpConnection);

/// Connects, signs in and names sender and recipient.
pub(super) async fn open(config: &DeliveryConfig, parcel: &Parcel) -> Result<Open, End> {
    match tokio::time::timeout(OPENING, converse(config, parcel)).await {
        Ok(done) => done.map(Open),
        Err(_) => Err(End::later("the mail server did not answer in time")),
    }
}

async fn converse(config: &DeliveryConfig, parcel: &Parcel) -> Result<AsyncSmtpConnection, End> {
    let (host, port) = config.host_and_port().ok_or_else(|| End::later("`server` is not set"))?;
    let to: Address = parcel.to.parse().map_err(|_| End::Refused("the recipient is no mail address".to_owned()))?;
    let from = envelope_sender(&parcel.body).ok_or_else(|| End::Refused("the mail has no sender".to_owned()))?;
    let hello = ClientId::Domain(from.domain().to_owned());
    let tls = || tls(config, &host);
    let at_once = if config.security == Security::Tls { Some(tls()?) } else { None };
    let mut connection = AsyncSmtpConnection::connect_tokio1((host.as_str(), port), Some(ANSWER), &hello, at_once, None)
        .await
        .map_err(|error| End::later(format!("no connection to the mail server: {}", told(&error))))?;
    if config.security == Security::Starttls {
        if !connection.can_starttls() {
            connection.abort().await;
            return Err(End::later("the mail server offers no STARTTLS, and without it nothing is sent"));
        }
        connection.starttls(tls()?, &hello).await.map_err(|error| End::later(format!("no TLS with the mail server: {}", told(&error))))?;
    }
    if let (Some(user), Some(file)) = (&config.user, &config.password_file) {
        let password = read_secret(file)?;
        let credentials = Credentials::new(user.clone(), password.expose_secret().to_owned());
        if let Err(error) = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await {
            connection.abort().await;
            return Err(End::later(format!("the mail server does not let us in: {}", told(&error))));
        }
    }
    let mut step = Step { connection: &mut connection };
    step.say("sender", Mail::new(Some(from), Vec::new())).await?;
    step.say("recipient", Rcpt::new(to, Vec::new())).await?;
    step.say("message", Data).await?;
    Ok(connection)
}

struct Step<'a> {
    connection: &'a mut AsyncSmtpConnection,
}

impl Step<'_> {
    async fn say(&mut self, what: &str, command: impl std::fmt::Display) -> Result<(), End> {
        let Err(error) = self.connection.command(command).await else { return Ok(()) };
        self.connection.abort().await;
        let reason = format!("the mail server does not take the {what}: {}", told(&error));
        Err(if error.is_permanent() { End::Refused(reason) } else { End::later(reason) })
    }
}

/// Sends the message and waits for the word that it was taken.
pub(super) async fn complete(open: Open, parcel: &Parcel) -> End {
    let mut connection = open.0;
    match tokio::time::timeout(HANDING_OVER, connection.message(&parcel.body)).await {
        Ok(Ok(response)) => {
            // Whatever becomes of the farewell, the mail is theirs now.
            let _ = tokio::time::timeout(Duration::from_secs(5), connection.quit()).await;
            End::Accepted(said(&response.message().collect::<Vec<_>>().join(" ")))
        }
        Ok(Err(error)) if error.is_permanent() => End::Refused(format!("the mail server refuses the message: {}", told(&error))),
        Ok(Err(error)) if error.is_transient() => End::later(format!("the mail server does not take the message now: {}", told(&error))),
        Ok(Err(error)) => {
            End::Unknown(format!("the connection ended before the mail server said that it took the message: {}", told(&error)))
        }
        Err(_) => End::Unknown("the mail server did not say in time whether it took the message".to_owned()),
    }
}

fn tls(config: &DeliveryConfig, host: &str) -> Result<TlsParameters, End> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(file) = &config.ca_file {
        let fault = |reason: String| End::later(format!("{} cannot be used: {reason}", file.display()));
        let pem = std::fs::read(file).map_err(|error| fault(error.to_string()))?;
        builder = builder.add_root_certificate(Certificate::from_pem(&pem).map_err(|error| fault(told(&error)))?);
    }
    builder.build_rustls().map_err(|error| End::later(format!("TLS cannot be set up: {}", told(&error))))
}

/// The address of the message's own `From`: where it goes back to.
fn envelope_sender(message: &[u8]) -> Option<Address> {
    let text = std::str::from_utf8(message).ok()?;
    let (head, _) = text.split_once("\r\n\r\n")?;
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let from = unfolded.split("\r\n").find_map(|line| line.strip_prefix("From: "))?;
    // The name may be an encoded word of any look; the address is what stands last.
    let address = match from.rsplit_once('<') {
        Some((_, rest)) => rest.trim_end().strip_suffix('>')?,
        None => from.trim(),
    };
    address.parse::<Address>().ok().or_else(|| from.parse::<Mailbox>().ok().map(|mailbox| mailbox.email))
}

/// What an error says, with its cause, fit to be kept.
fn told(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    said(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sender_is_read_from_the_message_itself() {
        for (head, wanted) in [
            ("From: Ada <ada@example.org>\r\nSubject: x", Some("ada@example.org")),
            ("From: =?utf-8?b?w6TDtg==?=\r\n =?utf-8?b?w7w=?= <digest@example.org>", Some("digest@example.org")),
            ("Subject: x\r\nFrom: digest@example.org", Some("digest@example.org")),
            ("Subject: From: x", None),
        ] {
            let message = format!("{head}\r\n\r\nFrom: body <body@example.org>\r\n");
            assert_eq!(envelope_sender(message.as_bytes()).map(|address| address.to_string()).as_deref(), wanted, "{head}");
        }
    }
}
