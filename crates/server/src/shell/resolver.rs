//! What the DNS says, asked beside the loop of signalling.
//!
//! At most 64 questions are asked at a time, others wait for them; and none takes longer than signalling waits for its answer.

use std::rc::Rc;
use std::time::Duration;

use focus::signalling::{Answer, Question};
use focus::sip::locate::{Naptr, Srv};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::ResolverConfig;
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::rdata::{NAPTR, SRV};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use tokio::sync::Semaphore;

/// How many questions are asked at a time.
const AT_A_TIME: usize = 64;
/// How long an answer may take, waiting for a turn among it. Signalling waits for 5 s.
const PATIENCE: Duration = Duration::from_secs(4);

/// The system's resolver: its servers, its hosts file.
#[derive(Clone)]
pub(super) struct Resolver {
    dns: TokioResolver,
    turns: Rc<Semaphore>,
}

impl Resolver {
    /// As the system is configured; where it is not, there are the hosts file and this machine.
    pub(super) fn of_the_system() -> Result<Self, NetError> {
        let builder = TokioResolver::builder_tokio().unwrap_or_else(|error| {
            tracing::warn!(%error, "the system says nothing of DNS servers; names are looked for in its hosts file alone");
            TokioResolver::builder_with_config(ResolverConfig::default(), TokioRuntimeProvider::default())
        });
        Ok(Self::with(builder.build()?))
    }

    fn with(dns: TokioResolver) -> Self {
        Self { dns, turns: Rc::new(Semaphore::new(AT_A_TIME)) }
    }

    /// Asks; what the DNS does not say in time is unavailable.
    pub(super) async fn ask(self, question: Question) -> Answer {
        let answered = async {
            let _turn = self.turns.acquire().await.ok()?;
            self.look_up(&question).await
        };
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Some(answer)) => answer,
            Ok(None) => Answer::Unavailable,
            Err(_) => {
                tracing::debug!(?question, "the DNS is silent");
                Answer::Unavailable
            }
        }
    }

    /// Nothing where the DNS is out of order, and for what is none of its questions. That there is no such name is an answer.
    async fn look_up(&self, question: &Question) -> Option<Answer> {
        let dns = &self.dns;
        match question {
            Question::Account { .. } => None,
            // As people name hosts: a name without dots may be one of this site.
            Question::Addresses { host } => {
                let found = records(dns.lookup_ip(host.as_str()).await.map(Lookup::from))?;
                Some(Answer::Addresses(found.iter().filter_map(RData::ip_addr).collect()))
            }
            Question::Services { domain } => {
                let found = records(dns.lookup(absolute(domain), RecordType::NAPTR).await)?;
                let of_kind =
                    found.iter().filter_map(|data| if let RData::NAPTR(data) = data { Some(data) } else { None });
                Some(Answer::Services(of_kind.map(service).collect()))
            }
            Question::Servers { name } => {
                let found = records(dns.lookup(absolute(name), RecordType::SRV).await)?;
                let of_kind =
                    found.iter().filter_map(|data| if let RData::SRV(data) = data { Some(data) } else { None });
                Some(Answer::Servers(of_kind.map(server).collect()))
            }
        }
    }
}

fn records(found: Result<Lookup, NetError>) -> Option<Vec<RData>> {
    match found {
        Ok(found) => Some(found.answers().iter().map(|record| record.data.clone()).collect()),
        Err(error) if error.is_no_records_found() => Some(Vec::new()),
        Err(error) => {
            tracing::debug!(%error, "the DNS does not answer");
            None
        }
    }
}

/// Records of services are never searched for in the site's own domains.
fn absolute(name: &str) -> String {
    format!("{}.", name.trim_end_matches('.'))
}

fn service(record: &NAPTR) -> Naptr {
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    Naptr {
        order: record.order,
        preference: record.preference,
        flags: text(&record.flags),
        services: text(&record.services),
        replacement: written(&record.replacement),
    }
}

fn server(record: &SRV) -> Srv {
    Srv { priority: record.priority, weight: record.weight, port: record.port, target: written(&record.target) }
}

fn written(name: &Name) -> String {
    name.to_ascii()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use hickory_resolver::config::NameServerConfig;
    use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
    use hickory_resolver::proto::rr::Record;
    use hickory_resolver::proto::rr::rdata::A;
    use tokio::net::UdpSocket;
    use tokio::task::LocalSet;

    use super::*;

    /// A resolver whose one server is that.
    fn resolver(server: SocketAddr) -> Resolver {
        let mut at = NameServerConfig::udp(server.ip());
        at.connections.iter_mut().for_each(|connection| connection.port = server.port());
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![at]);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder.options_mut().timeout = Duration::from_secs(60);
        Resolver::with(builder.build().unwrap())
    }

    async fn socket() -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    /// A DNS with what stands here, for ever.
    async fn serve(socket: UdpSocket) {
        let mut buffer = [0; 2048];
        loop {
            let (count, from) = socket.recv_from(&mut buffer).await.unwrap();
            let asked = Message::from_vec(&buffer[..count]).unwrap();
            let query = asked.queries[0].clone();
            let name = |text: &str| Name::from_ascii(text).unwrap();
            let data = match (query.name().to_ascii().as_str(), query.query_type()) {
                ("example.com.", RecordType::NAPTR) => {
                    let replacement = name("_sip._tcp.example.com.");
                    Some(RData::NAPTR(NAPTR::new(
                        10,
                        20,
                        (*b"s").into(),
                        (*b"SIP+D2T").into(),
                        (*b"").into(),
                        replacement,
                    )))
                }
                ("_sip._tcp.example.com.", RecordType::SRV) => {
                    Some(RData::SRV(SRV::new(1, 2, 5070, name("edge.example.com."))))
                }
                ("edge.example.com.", RecordType::A) => Some(RData::A(A::new(192, 0, 2, 7))),
                _ => None,
            };
            let mut answer = Message::response(asked.metadata.id, OpCode::Query);
            answer.add_query(query.clone());
            answer.metadata.response_code = match query.name().to_ascii().as_str() {
                "broken.example.com." => ResponseCode::ServFail,
                _ if data.is_none() => ResponseCode::NXDomain,
                _ => ResponseCode::NoError,
            };
            answer.add_answers(data.map(|data| Record::from_rdata(query.name().clone(), 60, data)));
            socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
        }
    }

    // CONFORMANCE 3263-4.1-3, 3263-4.2-4
    #[tokio::test]
    async fn the_dns_is_asked_for_services_servers_and_addresses() {
        let ask = async {
            let (socket, address) = socket().await;
            tokio::task::spawn_local(serve(socket));
            let resolver = resolver(address);
            let services = Question::Services { domain: "example.com".to_owned() };
            let expected = Naptr {
                order: 10,
                preference: 20,
                flags: "s".to_owned(),
                services: "SIP+D2T".to_owned(),
                replacement: "_sip._tcp.example.com.".to_owned(),
            };
            assert_eq!(resolver.clone().ask(services).await, Answer::Services(vec![expected]));
            let servers = Question::Servers { name: "_sip._tcp.example.com".to_owned() };
            let expected = Srv { priority: 1, weight: 2, port: 5070, target: "edge.example.com.".to_owned() };
            assert_eq!(resolver.clone().ask(servers).await, Answer::Servers(vec![expected]));
            let host = |name: &str| Question::Addresses { host: name.to_owned() };
            let edge = resolver.clone().ask(host("edge.example.com")).await;
            assert_eq!(edge, Answer::Addresses(vec![[192, 0, 2, 7].into()]));
            assert_eq!(resolver.clone().ask(host("nobody.example.com")).await, Answer::Addresses(Vec::new()));
            assert_eq!(resolver.clone().ask(host("broken.example.com")).await, Answer::Unavailable);
            let none = Question::Servers { name: "_sip._udp.example.com".to_owned() };
            assert_eq!(resolver.ask(none).await, Answer::Servers(Vec::new()));
        };
        LocalSet::new().run_until(ask).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_dns_is_not_waited_for() {
        let ask = async {
            let (_silent, address) = socket().await;
            let began = tokio::time::Instant::now();
            let resolver = resolver(address);
            let questions = (0..2 * AT_A_TIME).map(|number| {
                let question = Question::Servers { name: format!("_sip._udp.{number}.example.com") };
                tokio::task::spawn_local(resolver.clone().ask(question))
            });
            for asked in questions.collect::<Vec<_>>() {
                assert_eq!(asked.await.unwrap(), Answer::Unavailable);
            }
            assert_eq!(began.elapsed(), PATIENCE);
        };
        LocalSet::new().run_until(ask).await;
    }
}
