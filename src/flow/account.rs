//! Who may sign in: accounts made by command, their passwords, and the secrets that sessions and links are held by.
//!
//! Passwords are kept as argon2id over 19 MiB in two passes (PROMISES.md section 2). A secret is 256 random bits that
//! its holder alone knows; the store keeps its hash.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use secrecy::{ExposeSecret, SecretString};

use super::Context;
use crate::model::{BuilderId, UserRole, hex, sha256_hex};
use crate::store::StoreError;
use crate::text;

/// The fewest and the most characters of a password.
const SHORTEST: usize = 8;
const LONGEST: usize = 1_024;
/// Memory in KiB and passes of argon2id.
const MEMORY: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// Why an account could not be made or changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error("`{0}` is not a usable name: 1 to 80 characters, without control characters")]
    Name(String),
    #[error("an account needs a role: staff, operator, or both")]
    NoRole,
    #[error("the password is too short: {SHORTEST} characters at least")]
    TooShort,
    #[error("the password is too long: {LONGEST} characters at most")]
    TooLong,
    #[error("the password is the name")]
    IsTheName,
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    #[error("the password could not be hashed: 19 MiB of memory are needed")]
    Hash,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A name as it is compared: case, width and accents do not make another person of somebody.
pub fn account_key(name: &str) -> String {
    text::fold(name.trim())
}

/// Adds an account. Without a password, only a reverse proxy can sign them in.
pub async fn add_account(
    ctx: &Context,
    name: &str,
    roles: BTreeSet<UserRole>,
    password: Option<SecretString>,
    by: &str,
) -> Result<(), AccountError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > 80 || name.chars().any(char::is_control) || account_key(name).is_empty() {
        return Err(AccountError::Name(name.chars().filter(|c| !c.is_control()).take(80).collect()));
    }
    if roles.is_empty() || roles.iter().any(|role| !matches!(role, UserRole::Staff | UserRole::Operator)) {
        return Err(AccountError::NoRole);
    }
    let hash = match password {
        Some(password) => Some(hash_password(name, password).await?),
        None => None,
    };
    Ok(ctx.store.add_account(&account_key(name), name, roles, hash, by, ctx.clock.now()).await?)
}

/// Sets another password; every session that began with the old one ends.
pub async fn set_password(ctx: &Context, name: &str, password: SecretString, by: &str) -> Result<(), AccountError> {
    let hash = hash_password(name, password).await?;
    Ok(ctx.store.set_password(&account_key(name), hash, by, ctx.clock.now()).await?)
}

/// Removes an account and ends its sessions.
pub async fn remove_account(ctx: &Context, name: &str, by: &str) -> Result<(), AccountError> {
    Ok(ctx.store.remove_account(&account_key(name), by, ctx.clock.now()).await?)
}

/// The name of the account whose password this is. A name that nobody has takes as long as one that somebody has.
pub async fn check_password(ctx: &Context, name: &str, password: SecretString) -> Result<Option<String>, StoreError> {
    let row = ctx.store.password_of(&account_key(name)).await?;
    let known = row.as_ref().and_then(|row| row.hash.clone());
    let right = tokio::task::spawn_blocking(move || {
        let is_known = known.is_some();
        let against = known.unwrap_or_else(|| nobody().to_owned());
        verify(&password, &against) && is_known
    })
    .await
    .unwrap_or(false);
    Ok(row.filter(|_| right).map(|row| row.name))
}

/// Makes a private, read-only link to a builder's record and answers its secret, which nobody can tell again.
pub async fn make_builder_link(ctx: &Context, builder: BuilderId, by: &str) -> Result<String, AccountError> {
    let secret = new_secret()?;
    ctx.store.add_builder_link(&secret_hash(&secret), builder, by, ctx.clock.now()).await?;
    Ok(secret)
}

/// A new secret: 256 random bits in hexadecimal digits.
pub fn new_secret() -> Result<String, AccountError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| AccountError::Random(error.to_string()))?;
    Ok(hex(&bytes))
}

/// What the store keeps of a secret.
pub fn secret_hash(secret: &str) -> String {
    sha256_hex(format!("secret\0{secret}").as_bytes())
}

fn hasher() -> Option<Argon2<'static>> {
    let params = Params::new(MEMORY, PASSES, 1, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

async fn hash_password(name: &str, password: SecretString) -> Result<String, AccountError> {
    let length = password.expose_secret().chars().count();
    if length < SHORTEST {
        return Err(AccountError::TooShort);
    }
    if length > LONGEST {
        return Err(AccountError::TooLong);
    }
    if account_key(password.expose_secret()) == account_key(name) {
        return Err(AccountError::IsTheName);
    }
    tokio::task::spawn_blocking(move || hash(&password)).await.unwrap_or(None).ok_or(AccountError::Hash)
}

fn hash(password: &SecretString) -> Option<String> {
    let hashed: PasswordHash = hasher()?.hash_password(password.expose_secret().as_bytes()).ok()?;
    Some(hashed.to_string())
}

fn verify(password: &SecretString, against: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(against) else { return false };
    hasher().is_some_and(|hasher| hasher.verify_password(password.expose_secret().as_bytes(), &parsed).is_ok())
}

/// The hash of a password that nobody has: what is checked where a name is unknown.
fn nobody() -> &'static str {
    static NOBODY: OnceLock<String> = OnceLock::new();
    NOBODY.get_or_init(|| hash(&new_secret().unwrap_or_default().into()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_kept_as_argon2id_over_19_mib_in_two_passes() {
        let password: SecretString = "a long way to the harbor".to_owned().into();
        let kept = hash(&password).unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert!(verify(&password, &kept) && !verify(&"a long way to the harbour".to_owned().into(), &kept));
        assert_ne!(kept, hash(&password).unwrap(), "each has its own salt");
        assert!(!verify(&password, "") && !verify(&password, "$argon2id$nonsense"));
        assert!(nobody().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }

    #[test]
    fn secrets_have_256_bits_and_no_two_are_alike() {
        let (one, other) = (new_secret().unwrap(), new_secret().unwrap());
        assert!(one.len() == 64 && one != other);
        assert_ne!(secret_hash(&one), one);
    }

    #[test]
    fn case_and_width_do_not_make_another_person() {
        assert_eq!(account_key(" Edith "), account_key("ＥＤＩＴＨ"));
        assert_ne!(account_key("edith"), account_key("edit"));
    }
}
