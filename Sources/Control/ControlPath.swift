import Posix

/// Where the control socket is, for the director and its clients alike.
package enum ControlPath {
    /// The environment variable that names the control socket.
    package static let variable = "DIRECTOR_CONTROL"

    /// Directory of the sockets of directors that run as root.
    static let systemDirectory = "/run/director"

    /// The path to use: what was asked for, else $DIRECTOR_CONTROL, else the default.
    package static func resolve(_ asked: String?) -> String {
        asked ?? Environment.value(variable) ?? `default`()
    }

    /// One path per network namespace, so that a client finds the director that runs where it does.
    ///
    /// Without root the sockets are in $XDG_RUNTIME_DIR, where there is one.
    package static func `default`() -> String {
        let name = (try? NetworkNamespace.identity()).map { String($0) } ?? "director"
        if Identity.user != 0, let directory = Environment.value("XDG_RUNTIME_DIR") {
            return "\(directory)/director/\(name).sock"
        }
        return "\(systemDirectory)/\(name).sock"
    }

    /// Makes the directory that `default()` names, if `path` is there.
    static func prepareDirectory(for path: String) throws(SystemError) {
        guard path == `default`(), let slash = path.lastIndex(of: "/") else { return }
        try Files.makeDirectory(String(path[..<slash]), mode: 0o755)
    }
}
