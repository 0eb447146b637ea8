//! The package managers of the common systems, and what our needs are called there.

use super::{Need, find_program, succeeds};

/// One that we know how to talk to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PackageManager {
    Apt,
    Dnf,
    Apk,
    Pacman,
    Zypper,
    Brew,
}

impl PackageManager {
    pub(super) const ALL: [Self; 6] =
        [Self::Apt, Self::Dnf, Self::Apk, Self::Pacman, Self::Zypper, Self::Brew];

    /// The first whose program is on the `PATH`.
    pub(super) fn of_this_machine() -> Option<Self> {
        Self::ALL.into_iter().find(|manager| find_program(manager.program()).is_some())
    }

    const fn program(self) -> &'static str {
        match self {
            Self::Apt => "apt-get",
            Self::Dnf => "dnf",
            Self::Apk => "apk",
            Self::Pacman => "pacman",
            Self::Zypper => "zypper",
            Self::Brew => "brew",
        }
    }

    /// Arguments that install without a question.
    const fn install(self) -> &'static [&'static str] {
        match self {
            Self::Apt => &["install", "-y", "--no-install-recommends"],
            Self::Dnf => &["install", "-y"],
            Self::Apk => &["add"],
            Self::Pacman => &["-S", "--noconfirm", "--needed"],
            Self::Zypper => &["--non-interactive", "install"],
            Self::Brew => &["install"],
        }
    }

    /// What brings a need.
    pub(super) const fn packages(self, need: Need) -> &'static [&'static str] {
        match (self, need) {
            (Self::Apt, Need::Python) => &["python3", "python3-venv"],
            (Self::Dnf | Self::Apk, Need::Python) => &["python3"],
            (Self::Pacman, Need::Python) => &["python"],
            (Self::Zypper, Need::Python) => &["python3"],
            (Self::Brew, Need::Python) => &["python"],
            (_, Need::Maven) => &["maven"],
            (Self::Apt | Self::Dnf | Self::Zypper, Need::CToolchain) => match self {
                Self::Apt => &["gcc", "g++", "make"],
                _ => &["gcc", "gcc-c++", "make"],
            },
            (Self::Apk, Need::CToolchain) => &["build-base"],
            (Self::Pacman, Need::CToolchain) => &["base-devel"],
            // They come with Xcode's command line tools.
            (Self::Brew, Need::CToolchain) => &[],
            (Self::Apt | Self::Zypper, Need::PkgConfig) => &["pkg-config"],
            (Self::Dnf, Need::PkgConfig) => &["pkgconf-pkg-config"],
            (Self::Apk | Self::Pacman | Self::Brew, Need::PkgConfig) => &["pkgconf"],
            (Self::Apt, Need::OpenSsl) => &["libssl-dev"],
            (Self::Dnf, Need::OpenSsl) => &["openssl-devel"],
            (Self::Zypper, Need::OpenSsl) => &["libopenssl-devel"],
            (Self::Apk, Need::OpenSsl) => &["openssl-dev"],
            (Self::Pacman, Need::OpenSsl) => &["openssl"],
            (Self::Brew, Need::OpenSsl) => &["openssl@3"],
            (Self::Apt, Need::Zlib) => &["zlib1g-dev"],
            (Self::Dnf | Self::Zypper, Need::Zlib) => &["zlib-devel"],
            (Self::Apk, Need::Zlib) => &["zlib-dev"],
            (Self::Pacman | Self::Brew, Need::Zlib) => &["zlib"],
            // Alpine has another init, and macOS is not asked.
            (Self::Apk | Self::Brew, Need::SystemdAnalyze) => &[],
            (_, Need::SystemdAnalyze) => &["systemd"],
            (_, Need::Curl) => &["curl"],
        }
    }

    /// The command for the user to type.
    pub(super) fn command_line(self, packages: &[String]) -> String {
        if packages.is_empty() {
            // See `packages`.
            return match self {
                Self::Brew => "xcode-select --install".to_owned(),
                _ => "run it on a system that has it".to_owned(),
            };
        }
        let sudo = if self == Self::Brew || is_root() { "" } else { "sudo " };
        format!("{sudo}{} {} {}", self.program(), self.install().join(" "), packages.join(" "))
    }

    /// The commands to run, each with the name of its log.
    pub(super) fn steps(self, packages: &[String]) -> Vec<(String, Vec<String>)> {
        let words = |arguments: &[&str]| -> Vec<String> {
            std::iter::once(self.program()).chain(arguments.iter().copied()).map(str::to_owned).collect()
        };
        let mut steps = Vec::new();
        if self == Self::Apt {
            // A fresh container has no lists of packages.
            steps.push(("apt-get-update.log".to_owned(), words(&["update"])));
        }
        let mut install = words(self.install());
        install.extend(packages.iter().cloned());
        steps.push((format!("{}-install.log", self.program()), install));
        steps
    }

    /// The words in front of the command that give it the right to install, or `None` where that takes a question.
    pub(super) fn privilege(self) -> Option<&'static [&'static str]> {
        if self == Self::Brew || is_root() {
            Some(&[])
        } else if succeeds("sudo", &["-n", "true"]) {
            Some(&["sudo", "-n"])
        } else {
            None
        }
    }
}

fn is_root() -> bool {
    std::process::Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}
