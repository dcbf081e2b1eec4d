package import LVS
internal import Posix

/// Where a director keeps its connection table, so that the next one finds it.
package struct TablePlace: Hashable, Sendable {
    package var path: String
    /// The operator has named it: what is wrong there keeps the director from starting.
    package var isAsked: Bool
    /// Whether the table stays when the director is ended by a signal; otherwise it only outlasts a kill.
    package var staysAtEnd: Bool

    /// A file that the operator has named.
    package init(asked path: String) {
        self.path = path
        isAsked = true
        staysAtEnd = true
    }

    private init(directory: String, staysAtEnd: Bool) throws(SystemError) {
        path = "\(directory)/\(try NetworkNamespace.identity()).table"
        isAsked = false
        self.staysAtEnd = staysAtEnd
    }

    /// The variable by which systemd names a unit's RuntimeDirectory, and makes and removes it.
    package static let variable = "RUNTIME_DIRECTORY"

    /// The place where nobody has named one; nil where no directory for it lies in memory.
    ///
    /// That of the service manager, which removes it when the unit is stopped and not restarted; else the
    /// directory of the control sockets, else one below /dev/shm. A file for each network namespace.
    /// Who only looks makes no directory.
    package static func `default`(isLooking: Bool = false) -> TablePlace? {
        if let managed = Environment.value(variable)?.split(separator: ":").first,
            SharedMemory.isInMemory(directory: String(managed))
        {
            return try? TablePlace(directory: String(managed), staysAtEnd: true)
        }
        let user = Identity.user
        let runtime = user == 0 ? "/run" : Environment.value("XDG_RUNTIME_DIR")
        var directories = ["/dev/shm/director-\(user)"]
        if let runtime { directories.insert("\(runtime)/director", at: 0) }
        for directory in directories {
            let parent = directory[..<(directory.lastIndex(of: "/") ?? directory.startIndex)]
            guard SharedMemory.isInMemory(directory: String(parent)) else { continue }
            if isLooking { return try? TablePlace(directory: directory, staysAtEnd: false) }
            // Users of the control socket pass through the first.
            let mode: UInt32 = directory == "/run/director" ? 0o755 : 0o700
            do throws(SystemError) {
                try Files.makeDirectory(directory, mode: mode)
            } catch {
                continue
            }
            guard Files.isOwnDirectory(directory) else { continue }
            return try? TablePlace(directory: directory, staysAtEnd: false)
        }
        return nil
    }

    /// Removes the table, unless a director uses it; whether there was one.
    package func clean() -> Bool {
        guard Files.exists(path), let lock = try? FileLock(path: path) else { return false }
        Files.remove(path)
        _ = consume lock
        return true
    }
}

extension TableHome {
    /// This boot of the machine and the calling thread's network namespace; nil where the kernel does not
    /// say which boot it is.
    package static var current: TableHome? {
        guard let text = try? Files.read("/proc/sys/kernel/random/boot_id") else { return nil }
        let digits = text.filter { $0.isHexDigit }
        guard digits.count == 32, let boot = UInt64(digits.prefix(16), radix: 16),
            let bootToo = UInt64(digits.suffix(16), radix: 16)
        else { return nil }
        let cookie = NetworkNamespace.cookie
        guard let identity = try? NetworkNamespace.identity() else { return nil }
        return TableHome(
            boot: boot, bootToo: bootToo, network: cookie == 0 ? identity : cookie)
    }
}
