//! Addresses and when two are one: RFC 3261 §19.1.4, RFC 3860 and RFC 3966 §4, as decision D7 wants them.

use proptest::prelude::*;
use room::{Address, AddressError, MAX_ADDRESS, Scheme};

fn text(uri: &str) -> String {
    Address::parse(uri).unwrap_or_else(|error| panic!("{uri}: {error}")).to_string()
}

// CONFORMANCE 7701-034, DESIGN D7, D42
#[test]
fn all_forms_of_an_address_are_one() {
    let table: &[(&str, &[&str])] = &[
        (
            "sip:alice@atlanta.com",
            &[
                // RFC 3261 §19.1.4.
                "sip:%61lice@atlanta.com;transport=TCP",
                "sip:alice@AtLanTa.CoM;Transport=tcp",
                "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
                "sip:alice@atlanta.com;newparam=5",
                "SIP:alice@atlanta.com",
                "sips:alice@atlanta.com",
                "sip:alice@atlanta.com.",
                "sip:%61%6c%69%63%65@atlanta.com",
                "sip:alice@atlanta.com;x?y;z",
            ],
        ),
        ("sip:bob@biloxi.com:5060", &["sip:bob@biloxi.com:05060", "sip:bob@biloxi.com:5060;lr"]),
        ("sip:a@[2001:db8::1]", &["sip:a@[2001:DB8:0:0:0:0:0:1]", "sip:a@[2001:db8::0001];x"]),
        ("sip:a@[::1]:5070", &["sip:a@[0::1]:5070"]),
        ("sip:caf%C3%A9@d", &["sip:café@d", "sip:caf%c3%a9@d"]),
        // What is reserved is another character when it is escaped (RFC 2396 §2.2), what is neither is not.
        ("sip:a;b=c@d", &["sip:a;b=c@d;e=f"]),
        ("sip:a%3Bb@d", &["sip:a%3bb@d"]),
        ("sip:a%20b@d", &["sip:a%20b@D"]),
        ("sip:a%00b@d", &[]),
        ("sip:-_.!~*'()@d", &["sip:%2d%5f%2e%21%7e%2a%27%28%29@d"]),
        ("sip:chat.example.com", &["sip:CHAT.example.com;transport=tcp"]),
        ("im:alice@d", &["IM:alice@D", "im:alice@d?x=y"]),
        ("tel:+15550100", &["tel:+1-555-0100", "TEL:+1(555)01.00", "tel:+15550100;foo=bar"]),
        ("tel:+1555;ext=12", &["tel:+1555;EXT=1-2", "tel:+1555;foo;ext=12"]),
        ("tel:+1555;isub=a", &["tel:+1555;ISUB=A"]),
        (
            "tel:1234;phone-context=example.com",
            &["tel:12-34;Phone-Context=EXAMPLE.com", "tel:1234;foo=bar;phone-context=example.com."],
        ),
        ("tel:1234;phone-context=+33", &["tel:1234;phone-context=+3-3"]),
        ("tel:*a0#;phone-context=d", &["tel:*A0#;phone-context=d"]),
        ("tel:+1;ext=2;isub=3", &["tel:+1;isub=3;ext=2"]),
    ];
    for (normal, forms) in table {
        assert_eq!(text(normal), *normal);
        for form in *forms {
            assert_eq!(text(form), *normal, "{form}");
        }
    }
    for (index, (one, _)) in table.iter().enumerate() {
        for (other, _) in &table[index + 1..] {
            assert_ne!(Address::parse(one), Address::parse(other), "{one} {other}");
        }
    }
}

// CONFORMANCE 7701-034, THREATS T11, DESIGN D7
#[test]
fn what_differs_is_not_one() {
    let pairs = [
        // RFC 3261 §19.1.4.
        ("sip:ALICE@AtLanTa.CoM", "sip:alice@AtLanTa.CoM"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:alice%40atlanta.com@evil", "sip:alice@atlanta.com"),
        ("sip:a@d", "im:a@d"),
        ("sip:a@d", "sip:d"),
        ("sip:+1555@d", "tel:+1555"),
        ("tel:+1555", "tel:1555;phone-context=+1"),
        ("tel:1555;phone-context=a", "tel:1555;phone-context=b"),
        ("tel:+1555;ext=1", "tel:+1555"),
        ("sip:a+b@d", "sip:a%2Bb@d"),
    ];
    for (one, other) in pairs {
        assert_ne!(Address::parse(one).unwrap(), Address::parse(other).unwrap(), "{one} {other}");
    }
}

#[test]
fn what_is_no_address_is_refused_with_its_reason() {
    use AddressError::{Character, Host, Number, Port, Scheme, TooLong, User};
    let long = format!("sip:{}@d", "a".repeat(MAX_ADDRESS - 5));
    let long_when_escaped = format!("sip:{}@d", "é".repeat(MAX_ADDRESS / 6));
    let table = [
        ("", Scheme),
        ("alice", Scheme),
        ("alice@d", Scheme),
        (":a@d", Scheme),
        ("mailto:a@d", Scheme),
        ("http://d/", Scheme),
        ("sip :a@d", Character),
        ("sip:a b@d", Character),
        ("sip:a<b@d", Character),
        ("sip:a>b@d", Character),
        ("sip:\"a\"@d", Character),
        ("sip:a\0@d", Character),
        ("sip:a@d\r\n", Character),
        ("sip:a\u{7f}@d", Character),
        ("sip:@d", User),
        ("sip:a:password@d", User),
        ("sip:a@b@d", User),
        ("sip:a@d;x=@e", User),
        ("sip:a%4@d", User),
        ("sip:a%@d", User),
        ("sip:a%zz@d", User),
        ("sip:a%+1@d", User),
        ("sip:a\\b@d", User),
        ("sip:a#b@d", User),
        ("sip:", Host),
        ("sip:a@", Host),
        ("sip:a@.", Host),
        ("sip:a@d..", Host),
        ("sip:a@.d", Host),
        ("sip:a@d..e", Host),
        ("sip:a@;transport=tcp", Host),
        ("sip:a@d/e", Host),
        ("sip:a@d%2e", Host),
        ("sip:a@dömain", Host),
        ("sip:a@[::1", Host),
        ("sip:a@[::g]", Host),
        ("sip:a@[fe80::1%25eth0]", Host),
        ("sip:a@::1", Host),
        ("sip:a@d:", Port),
        ("sip:a@d:0", Port),
        ("sip:a@d:65536", Port),
        ("sip:a@d:+5060", Port),
        ("sip:a@d:5060x", Port),
        ("sip:a@d:1:2", Port),
        ("sip:a@[::1]5060", Port),
        ("tel:", Number),
        ("tel:+", Number),
        ("tel:+-", Number),
        ("tel:+1a", Number),
        ("tel:1234", Number),
        ("tel:lobby", Number),
        ("tel:+1;ext=", Number),
        ("tel:+1;ext=1;ext=1", Number),
        ("tel:1;phone-context=", Number),
        ("tel:1;phone-context=.", Number),
        ("tel:1;phone-context=d..", Number),
        ("tel:+%31", Number),
        (&long, TooLong),
        (&long_when_escaped, TooLong),
    ];
    for (uri, error) in table {
        assert_eq!(Address::parse(uri), Err(error), "{uri:?}");
    }
    assert!(Address::parse(&format!("sip:{}@d", "a".repeat(MAX_ADDRESS - 6))).is_ok());
}

#[test]
fn an_address_has_parts() {
    let table = [
        ("sip:a@d:5060;x", Scheme::Sip, "a", "d:5060", "d"),
        ("sips:d", Scheme::Sip, "", "d", "d"),
        ("sip:a%40b@[::1]:5060", Scheme::Sip, "a%40b", "[::1]:5060", "[::1]"),
        ("sip:a@[::1]", Scheme::Sip, "a", "[::1]", "[::1]"),
        ("im:a@d", Scheme::Im, "a", "d", "d"),
        ("tel:+1-5;ext=6", Scheme::Tel, "+15;ext=6", "", ""),
    ];
    for (uri, scheme, user, host, without_port) in table {
        let address = Address::parse(uri).unwrap();
        let parts = (address.scheme(), address.user(), address.host(), address.host_without_port());
        assert_eq!(parts, (scheme, user, host, without_port), "{uri}");
        assert_eq!(uri.parse(), Ok(address));
    }
}

#[test]
fn the_same_user_at_another_host() {
    let address = Address::parse("sip:a%3Bb@d:5060").unwrap();
    assert_eq!(address.with_host("E.example").unwrap().as_str(), "sip:a%3Bb@e.example");
    assert_eq!(address.with_host("[::1]:5070").unwrap().as_str(), "sip:a%3Bb@[::1]:5070");
    assert_eq!(address.with_host(""), Err(AddressError::Host));
    assert_eq!(address.with_host("d;x"), Err(AddressError::Host));
    let number = Address::parse("tel:+1").unwrap();
    assert_eq!(number.with_host("d"), Ok(number));
}

proptest! {
    #[test]
    fn the_normal_form_is_an_address_that_stays_as_it_is(uri in "(sip|sips|im|tel):([ -~é中]{0,24}|[a.@;:+-]{0,8})") {
        if let Ok(address) = Address::parse(&uri) {
            prop_assert_eq!(&Address::parse(address.as_str()).expect("an address"), &address);
            let parts = if address.user().is_empty() {
                address.host().to_owned()
            } else if address.host().is_empty() {
                address.user().to_owned()
            } else {
                format!("{}@{}", address.user(), address.host())
            };
            prop_assert!(address.as_str().ends_with(&parts));
            prop_assert!(address.as_str().is_ascii() || address.scheme() == Scheme::Tel);
        }
    }

    #[test]
    fn escapes_that_change_nothing_change_nothing(user in "[a-zA-Z0-9_.!~*'()-]{1,12}") {
        let escaped: String = user.bytes().map(|octet| format!("%{octet:02x}")).collect();
        let plain = Address::parse(&format!("sip:{user}@d")).expect("an address");
        prop_assert_eq!(Address::parse(&format!("sip:{escaped}@d")), Ok(plain.clone()));
        prop_assert_eq!(plain.user(), user);
    }
}
