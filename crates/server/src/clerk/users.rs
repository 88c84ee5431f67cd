//! Users: those of the configuration, which only the operator's editor changes, and those of the store.

use std::collections::BTreeMap;

use focus::room::Address;
use focus::signalling::Account;
use focus::sip::auth::{Algorithm, ha1};
use store::{Ha1, StoredUser};

use super::{Clerk, Outcome, failed};
use crate::config::{Auth, Config, users, value};
use crate::desk::{Answer, Origin, Secret, User, UserRequest};

/// Who can log in from the start, by the digest's user name. The configuration wins over the store.
pub(crate) fn accounts(config: &Config, stored: &[StoredUser]) -> BTreeMap<String, Account> {
    let mut accounts = crate::settings::accounts(config);
    if matches!(config.auth, Auth::Digest { .. }) {
        let claimed: Vec<&String> = config.users.iter().flat_map(|user| &user.aliases).collect();
        for user in stored {
            let mut account = account(user);
            // Nobody is two users.
            account.aliases.retain(|alias| !claimed.iter().any(|uri| same(uri, alias)));
            accounts.entry(user.uri.user().to_owned()).or_insert(account);
        }
    }
    accounts
}

fn account(user: &StoredUser) -> Account {
    Account {
        uri: user.uri.as_str().to_owned(),
        aliases: user.aliases.iter().map(|alias| alias.as_str().to_owned()).collect(),
        sha256: user.password.sha256.clone(),
        md5: user.password.md5.clone(),
    }
}

fn same(one: &str, other: &str) -> bool {
    Address::parse(one).is_ok_and(|one| Address::parse(other).is_ok_and(|other| one == other))
}

impl Clerk {
    pub(super) async fn user(&self, request: UserRequest) -> Outcome {
        match request {
            UserRequest::Add { user, password, aliases } => self.add(&user, &password, &aliases).await,
            UserRequest::Password { user, password } => self.set_password(&user, &password).await,
            UserRequest::List => self.list_users().await,
            UserRequest::Delete { user } => self.delete_user(&user).await,
        }
    }

    async fn add(&self, user: &str, password: &Secret, aliases: &[String]) -> Outcome {
        let uri = self.changeable(user)?;
        if self.store.user(&uri).await.map_err(failed)?.is_some() {
            let text = "is there already; `tertulia user password` changes the password";
            return Err(format!("{} {text}", uri.as_str()));
        }
        let mut addresses = Vec::new();
        for alias in aliases {
            let address = users::alias(alias)
                .and_then(|alias| Address::parse(&alias).ok())
                .ok_or_else(|| format!("{alias:?} is no other URI of a user; right would be like \"tel:+15551234\""))?;
            if address != uri && !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let taken = self.taken().await?;
        let is_taken = |address: &&Address| self.config.is_taken(address) || taken.contains(address);
        if let Some(address) = std::iter::once(&uri).chain(&addresses).find(is_taken) {
            return Err(format!("{} belongs to another user or to a room already", address.as_str()));
        }
        let user = StoredUser { password: self.hashed(&uri, password)?, aliases: addresses, uri };
        self.keep_user(&user).await?;
        Ok(Answer::Done(format!("{} can log in{}", user.uri.as_str(), self.caveat())))
    }

    async fn set_password(&self, user: &str, password: &Secret) -> Outcome {
        let uri = self.changeable(user)?;
        let Some(mut user) = self.store.user(&uri).await.map_err(failed)? else {
            return Err(format!("there is no user {}", uri.as_str()));
        };
        user.password = self.hashed(&uri, password)?;
        self.keep_user(&user).await?;
        Ok(Answer::Done(format!("{} has another password{}", uri.as_str(), self.caveat())))
    }

    async fn list_users(&self) -> Outcome {
        let row = |uri: &str, from, aliases: Vec<String>| User { uri: uri.to_owned(), from, aliases };
        let stored = self.store.users().await.map_err(failed)?;
        let mut users: Vec<User> =
            self.config.users.iter().map(|user| row(&user.uri, Origin::File, user.aliases.clone())).collect();
        for user in stored.iter().filter(|user| !self.is_configured(&user.uri)) {
            let Account { uri, aliases, .. } = account(user);
            users.push(row(&uri, Origin::Store, aliases));
        }
        users.sort_by(|one, other| one.uri.cmp(&other.uri));
        Ok(Answer::Users(users))
    }

    async fn delete_user(&self, user: &str) -> Outcome {
        let uri = self.changeable(user)?;
        if !self.store.delete_user(&uri).await.map_err(failed)? {
            return Err(format!("there is no user {}", uri.as_str()));
        }
        self.line.account(uri.user(), None).await;
        Ok(Answer::Done(format!("{} cannot log in any more", uri.as_str())))
    }

    /// The address of a user who is not the configuration's.
    fn changeable(&self, user: &str) -> Result<Address, String> {
        let right = || format!("{user:?} is no user of this server; right would be sip:NAME@{}", self.config.domain);
        let uri = self.person(user)?;
        let is_ours = uri.as_str().starts_with("sip:") && uri.host().eq_ignore_ascii_case(&self.config.domain);
        value::user_part(uri.user()).filter(|_| is_ours).ok_or_else(right)?;
        if self.is_configured(&uri) {
            return Err(format!(
                "{} stands in the configuration: change it there, and start the server again",
                uri.as_str()
            ));
        }
        Ok(uri)
    }

    fn is_configured(&self, uri: &Address) -> bool {
        self.config.users.iter().any(|user| same(&user.uri, uri.as_str()))
    }

    /// The addresses of rooms and of the users of the store.
    async fn taken(&self) -> Result<Vec<Address>, String> {
        let mut taken: Vec<Address> = self.config.rooms.iter().filter_map(|room| self.own(&room.name).ok()).collect();
        for user in self.store.users().await.map_err(failed)? {
            taken.push(user.uri);
            taken.extend(user.aliases);
        }
        taken.extend(self.store.rooms().await.map_err(failed)?.into_iter().map(|room| room.uri));
        Ok(taken)
    }

    fn hashed(&self, uri: &Address, Secret(password): &Secret) -> Result<Ha1, String> {
        if password.is_empty() {
            return Err("a password is needed".to_owned());
        }
        let of = |algorithm| Some(ha1(algorithm, uri.user(), &self.config.realm, password));
        Ok(Ha1 { sha256: of(Algorithm::Sha256), md5: of(Algorithm::Md5) })
    }

    /// Writes a user down, and lets it log in at once.
    async fn keep_user(&self, user: &StoredUser) -> Result<(), String> {
        self.store.put_user(user).await.map_err(failed)?;
        if matches!(self.config.auth, Auth::Digest { .. }) {
            self.line.account(user.uri.user(), Some(account(user))).await;
        }
        Ok(())
    }

    /// What a password is worth here.
    fn caveat(&self) -> &'static str {
        match self.config.auth {
            Auth::Open => "; but auth.mode is \"open\", and nobody is asked for a password",
            Auth::Digest { .. } => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(uri: &str, aliases: &[&str]) -> StoredUser {
        let address = |uri: &str| Address::parse(uri).unwrap();
        let password = Ha1 { sha256: Some("ab".repeat(32)), md5: None };
        StoredUser { uri: address(uri), password, aliases: aliases.iter().map(|uri| address(uri)).collect() }
    }

    #[test]
    fn the_configuration_wins_where_both_name_a_user_or_an_alias() {
        let file = "[[users]]\nuri = \"sip:alice@localhost\"\npassword = \"x\"\naliases = [\"tel:+1-555\"]";
        let config = Config::parse(file).unwrap();
        let users =
            [stored("sip:alice@localhost", &[]), stored("sip:bob@localhost", &["tel:+1555", "im:bob@localhost"])];
        let accounts = accounts(&config, &users);
        assert_eq!(accounts.keys().collect::<Vec<_>>(), ["alice", "bob"]);
        assert_ne!(accounts["alice"].sha256, users[0].password.sha256);
        assert_eq!(accounts["bob"].sha256, users[1].password.sha256);
        assert_eq!(accounts["bob"].aliases, ["im:bob@localhost"]);
    }

    #[test]
    fn where_everybody_is_believed_there_are_no_accounts() {
        assert!(accounts(&Config::embedded(), &[stored("sip:bob@localhost", &[])]).is_empty());
    }
}
