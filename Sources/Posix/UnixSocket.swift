internal import CPosix
internal import Glibc

/// Sequenced-packet sockets in the file system: one message sent is one message received.
package enum UnixSocket {
    /// Longest path a socket can have, bytes.
    package static var longestPath: Int {
        MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1
    }

    /// Callers that may wait for the listener to look.
    private static let backlog: Int32 = 128

    /// Listens at `path` with access for the owner alone, and for a group (its number) if one is given.
    ///
    /// A socket file left by a process that is gone is replaced; one that answers is EADDRINUSE.
    package static func listen(
        path: String, group: UInt32? = nil
    ) throws(SystemError) -> FileDescriptor {
        // Connecting to a file that is no socket fails like connecting to a dead one; only the
        // latter may be replaced.
        if let there = Files.identity(path), !there.isSocket {
            throw SystemError("bind", on: path, code: ENOTSOCK)
        }
        guard let code = probe(path) else {
            throw SystemError("bind", on: path, code: EADDRINUSE)
        }
        switch code {
        case ECONNREFUSED: _ = unsafe unlink(path)
        case ENOENT: break
        default: throw SystemError("bind", on: path, code: code)
        }
        let socket = try open(path)
        // The mode of a socket file is decided when bind creates it, so the mask is set around it.
        let mask = umask(0o177)
        defer { umask(mask) }
        try unsafe address(path) { pointer, length throws(SystemError) in
            _ = try checked("bind", on: path) { unsafe bind(socket.number, pointer, length) }
        }
        if let group {
            // First the group, then its access: never anybody else's.
            _ = try checked("chown", on: path) { unsafe lchown(path, .max, group) }
            _ = try checked("chmod", on: path) { unsafe chmod(path, 0o660) }
        }
        _ = try checked("listen", on: path) { Glibc.listen(socket.number, backlog) }
        try socket.setNonBlocking(true)
        return socket
    }

    /// The next caller, non-blocking; nil when none waits.
    package static func accept(
        _ listener: borrowing FileDescriptor
    ) throws(SystemError) -> FileDescriptor? {
        do throws(SystemError) {
            let number = listener.number
            return FileDescriptor(owning: try checked("accept") { cposix_accept(number) })
        } catch {
            guard error.wouldBlock || error.code == ECONNABORTED else { throw error }
            return nil
        }
    }

    /// Connects to the listener at `path`; reads and writes wait.
    package static func connect(path: String) throws(SystemError) -> FileDescriptor {
        let socket = try open(path)
        try unsafe address(path) { pointer, length throws(SystemError) in
            _ = try checked("connect", on: path) {
                unsafe Glibc.connect(socket.number, pointer, length)
            }
        }
        return socket
    }

    /// Sends one message; EAGAIN when a non-blocking peer is slow, EPIPE when it is gone.
    package static func send(
        _ message: [UInt8], on socket: borrowing FileDescriptor
    ) throws(SystemError) {
        let number = socket.number
        _ = try checked("send") {
            unsafe message.withUnsafeBytes { bytes in
                unsafe Glibc.send(number, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
            }
        }
    }

    /// One message that fits into the buffer; nil when the peer is gone.
    ///
    /// A longer message is EMSGSIZE; nothing there on a non-blocking socket is EAGAIN. The buffer is
    /// for many calls, so that none has to clear memory for the largest message there can be.
    package static func receive(
        from socket: borrowing FileDescriptor, by buffer: inout [UInt8]
    ) throws(SystemError) -> [UInt8]? {
        let number = socket.number
        let got = try checked("recv") {
            unsafe buffer.withUnsafeMutableBytes { bytes in
                unsafe recv(number, bytes.baseAddress, bytes.count, Int32(MSG_TRUNC))
            }
        }
        guard got > 0 else { return nil }
        guard got <= buffer.count else { throw SystemError("recv", code: EMSGSIZE) }
        return Array(buffer[..<got])
    }

    /// Takes a socket file away; a missing one is no error.
    package static func remove(path: String) {
        _ = unsafe unlink(path)
    }

    private static func open(_ path: String) throws(SystemError) -> FileDescriptor {
        let kind = Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue)
        return FileDescriptor(
            owning: try checked("socket", on: path) { socket(AF_UNIX, kind, 0) })
    }

    /// The errno of a trial connection, nil when somebody answers.
    private static func probe(_ path: String) -> Int32? {
        do throws(SystemError) {
            _ = try connect(path: path)
            return nil
        } catch {
            return error.code
        }
    }

    private static func address<Value>(
        _ path: String,
        _ body: (UnsafePointer<sockaddr>, socklen_t) throws(SystemError) -> Value
    ) throws(SystemError) -> Value {
        let bytes = Array(path.utf8)
        guard !bytes.isEmpty, bytes.count <= longestPath, !bytes.contains(0) else {
            throw SystemError("bind", on: path, code: ENAMETOOLONG)
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { target in
            unsafe target.copyBytes(from: bytes)
        }
        return try unsafe withUnsafePointer(to: &address) { pointer throws(SystemError) in
            try unsafe body(
                UnsafeRawPointer(pointer).assumingMemoryBound(to: sockaddr.self),
                socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
}

/// Who is at the other end of a Unix socket, as the kernel vouches.
package struct PeerCredentials: Hashable, Sendable {
    package var user: UInt32
    package var group: UInt32
    package var process: Int32
    /// All of its groups.
    package var groups: Set<UInt32>

    package init(of socket: borrowing FileDescriptor) throws(SystemError) {
        let number = socket.number
        var user: UInt32 = 0
        var group: UInt32 = 0
        var process: Int32 = 0
        _ = try checked("getsockopt SO_PEERCRED") {
            unsafe cposix_peer_credentials(number, &user, &group, &process)
        }
        self.user = user
        self.group = group
        self.process = process
        var groups = [UInt32](repeating: 0, count: 64)
        while true {
            var count = UInt32(groups.count)
            let result = unsafe cposix_peer_groups(number, &groups, &count)
            if result == 0 {
                self.groups = Set(groups.prefix(Int(count))).union([group])
                return
            }
            guard errno == ERANGE, Int(count) > groups.count else {
                throw SystemError(last: "getsockopt SO_PEERGROUPS")
            }
            groups = [UInt32](repeating: 0, count: Int(count))
        }
    }
}
