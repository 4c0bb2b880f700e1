//! `althing certs`: makes and shows certificates.

use crate::exit::Failure;
use althing_model::{ClusterId, NodeId, Role};
use althing_transport::certs::{
    AUTHORITY_VALID, CERTIFICATE_VALID, ClusterAuthority, Identity, Issued, Subject, Validity,
};
use anyhow::{Context, bail};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// What to do about certificates.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make the authority of a new cluster: `ca.pem` and `ca.key`.
    #[command(after_help = "Example:\n  althing certs init --dir certs")]
    Init(Init),
    /// Make the certificate of a node: `node-ID.pem` and `node-ID.key`.
    #[command(after_help = "Example:\n  althing certs node --dir certs --id 0\n  \
                            althing certs node --dir certs --id 3 --roles proposer,replica")]
    Node(ForNode),
    /// Make the certificate of a client: `client-NAME.pem` and `client-NAME.key`.
    #[command(after_help = "Example:\n  althing certs client --dir certs --name orders")]
    Client(ForClient),
    /// Show who a certificate is for, and until when.
    #[command(after_help = "Example:\n  althing certs show certs/node-0.pem")]
    Show(Show),
}

#[derive(Debug, clap::Args)]
struct Init {
    /// Where to write; made if it is missing. Keep `ca.key` where no node is.
    #[arg(long)]
    dir: PathBuf,
    /// The cluster's id (a UUID); a new one without it.
    #[arg(long, value_name = "UUID")]
    cluster: Option<ClusterId>,
    /// Replace an authority: every certificate that it issued is void then.
    #[arg(long)]
    force: bool,
}

#[derive(Debug, clap::Args)]
struct Issue {
    /// Where the authority is, and the certificate goes.
    #[arg(long)]
    dir: PathBuf,
    /// How many days it counts.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=3650),
        default_value_t = CERTIFICATE_VALID.as_secs() / 86400)]
    days: u64,
    /// Replace a certificate.
    #[arg(long)]
    force: bool,
}

#[derive(Debug, clap::Args)]
struct ForNode {
    #[command(flatten)]
    issue: Issue,
    /// The node's number, as in the configuration.
    #[arg(long)]
    id: u32,
    /// What it may do.
    #[arg(long, value_delimiter = ',', value_parser = role,
        default_value = "proposer,dependency,acceptor,replica")]
    roles: Vec<Role>,
}

#[derive(Debug, clap::Args)]
struct ForClient {
    #[command(flatten)]
    issue: Issue,
    /// Its name: letters, digits, dots, hyphens and underscores.
    #[arg(long)]
    name: String,
}

#[derive(Debug, clap::Args)]
struct Show {
    /// A certificate (PEM).
    file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn role(name: &str) -> Result<Role, String> {
    let known = Role::ALL.map(Role::name).join(", ");
    Role::from_name(name).ok_or_else(|| format!("the roles are {known}"))
}

/// Makes or shows certificates.
pub fn run(args: Args) -> Result<(), Failure> {
    match args.command {
        Command::Init(init) => make_authority(&init)?,
        Command::Node(ForNode { issue, id, roles }) => write(&issue, |authority, validity| {
            Ok(authority.issue_node_for(NodeId(id), &roles, validity)?)
        })?,
        Command::Client(ForClient { issue, name }) => {
            write(&issue, |authority, validity| Ok(authority.issue_client_for(&name, validity)?))?
        }
        Command::Show(show) => print(&show)?,
    }
    Ok(())
}

fn make_authority(init: &Init) -> anyhow::Result<()> {
    let new = || ClusterId(*uuid::Uuid::new_v4().as_bytes());
    let authority = ClusterAuthority::create(init.cluster.unwrap_or_else(new))?;
    authority
        .write(&init.dir, init.force)
        .context("the authority is not replaced without --force")?;
    println!("cluster {}", authority.cluster());
    println!("wrote {}, {}", init.dir.join("ca.pem").display(), init.dir.join("ca.key").display());
    println!("valid for {} days", AUTHORITY_VALID.as_secs() / 86400);
    Ok(())
}

fn write(
    issue: &Issue,
    make: impl Fn(&ClusterAuthority, Validity) -> anyhow::Result<Issued>,
) -> anyhow::Result<()> {
    let authority = ClusterAuthority::load(&issue.dir)
        .context("no authority to issue it; `althing certs init` makes one")?;
    let validity = Validity::from_now(Duration::from_secs(issue.days * 86400));
    let issued = make(&authority, validity)?;
    issued.write(&issue.dir, issue.force).context("nothing is replaced without --force")?;
    let file = |ending: &str| issue.dir.join(format!("{}.{ending}", issued.stem()));
    println!("wrote {}, {}", file("pem").display(), file("key").display());
    println!("valid for {} days", issue.days);
    Ok(())
}

fn print(show: &Show) -> anyhow::Result<()> {
    let path = show.file.display();
    let bytes = std::fs::read(&show.file).with_context(|| format!("{path} cannot be read"))?;
    let (_, pem) = x509_parser::pem::parse_x509_pem(&bytes)
        .map_err(|_| anyhow::anyhow!("{path} holds no certificate in PEM form"))?;
    let shown = Shown::of(&show.file, &pem.contents)?;
    if show.json {
        println!("{}", shown.to_json());
    } else {
        println!("{}", shown.to_text());
    }
    Ok(())
}

/// What there is to say about a certificate.
struct Shown {
    uri: String,
    subject: String,
    dns_names: Vec<String>,
    not_before: String,
    not_after: String,
    is_valid_now: bool,
}

impl Shown {
    fn of(file: &Path, der: &[u8]) -> anyhow::Result<Self> {
        let (_, certificate) = X509Certificate::from_der(der)
            .with_context(|| format!("{} is no X.509 certificate", file.display()))?;
        let names = certificate.subject_alternative_name()?;
        let names = names.map(|names| &names.value.general_names[..]).unwrap_or_default();
        let mut uris = names.iter().filter_map(|name| match name {
            GeneralName::URI(uri) if uri.starts_with("althing://") => Some((*uri).to_owned()),
            _ => None,
        });
        let Some(uri) = uris.next() else {
            bail!("{}: it names no althing:// identity, so it is none of ours", file.display());
        };
        let dns_names = names.iter().filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        });
        let validity = certificate.validity();
        Ok(Self {
            subject: subject(der, certificate.is_ca()),
            dns_names: dns_names.collect(),
            uri,
            not_before: validity.not_before.to_string(),
            not_after: validity.not_after.to_string(),
            is_valid_now: validity.is_valid(),
        })
    }

    fn to_text(&self) -> String {
        let Self { uri, subject, dns_names, not_before, not_after, is_valid_now } = self;
        let now = if *is_valid_now { "counts now" } else { "does NOT count now" };
        let mut text = format!("{subject}\n  {uri}\n  from {not_before} to {not_after}: it {now}");
        for name in dns_names {
            text.push_str(&format!("\n  serves as {name}"));
        }
        text
    }

    fn to_json(&self) -> serde_json::Value {
        let Self { uri, subject, dns_names, not_before, not_after, is_valid_now } = self;
        json!({ "identity": uri, "subject": subject, "dns_names": dns_names,
            "not_before": not_before, "not_after": not_after, "valid_now": is_valid_now })
    }
}

fn subject(der: &[u8], is_authority: bool) -> String {
    if is_authority {
        return "the authority of a cluster".to_owned();
    }
    match Identity::from_certificate(der) {
        Ok(Identity { subject: Subject::Node { id, roles }, .. }) => {
            let roles: Vec<_> = roles.iter().map(|role| role.name()).collect();
            format!("node {}: {}", id.0, roles.join(", "))
        }
        Ok(Identity { subject: Subject::Client { name }, .. }) => format!("client {name:?}"),
        Err(reason) => format!("nobody: {reason}"),
    }
}
