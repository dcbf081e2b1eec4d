import Glibc

/// A socket of the namespace in which it was made.
final class TestSocket {
    let number: Int32

    init(_ kind: Kind, family: Int32 = AF_INET) {
        number =
            switch kind {
            case .tcp: socket(family, Int32(SOCK_STREAM.rawValue), 0)
            case .udp: socket(family, Int32(SOCK_DGRAM.rawValue), 0)
            case .raw(let transport): socket(family, Int32(SOCK_RAW.rawValue), transport)
            }
        precondition(number >= 0, "no socket")
        var patience = timeval(tv_sec: 0, tv_usec: 400_000)
        let size = socklen_t(MemoryLayout<timeval>.size)
        unsafe setsockopt(number, SOL_SOCKET, SO_RCVTIMEO, &patience, size)
        unsafe setsockopt(number, SOL_SOCKET, SO_SNDTIMEO, &patience, size)
        var on: Int32 = 1
        unsafe setsockopt(number, SOL_SOCKET, SO_REUSEADDR, &on, 4)
    }

    deinit { close(number) }

    enum Kind {
        case tcp, udp
        case raw(Int32)
    }

    /// What the far side makes of us.
    enum Answer: Equatable {
        case accepted, refused, silent
        case other(Int32)
    }

    func bind(_ address: String, port: UInt16) -> Bool {
        unsafe withAddress(address, port) { unsafe Glibc.bind(number, $0, $1) == 0 }
    }

    func listen() { _ = Glibc.listen(number, 8) }

    func connect(_ address: String, port: UInt16) -> Answer {
        let result = unsafe withAddress(address, port) { unsafe Glibc.connect(number, $0, $1) }
        return result == 0 ? .accepted : Self.answer(errno)
    }

    /// Sends a datagram and waits for an answer or for an error that the network reports.
    func ask(_ address: String, port: UInt16) -> Answer {
        guard connect(address, port: port) == .accepted else { return .other(errno) }
        var bytes: [UInt8] = [1, 2, 3]
        _ = unsafe Glibc.send(number, &bytes, 3, 0)
        return unsafe recv(number, &bytes, 3, 0) >= 0 ? .accepted : Self.answer(errno)
    }

    /// Sends a datagram from a bound socket.
    func send(to address: String, port: UInt16) -> Bool {
        var bytes: [UInt8] = [1, 2, 3]
        return unsafe withAddress(address, port) {
            unsafe sendto(number, &bytes, 3, 0, $0, $1) == 3
        }
    }

    /// Sends these bytes from a raw socket, without a connection.
    func send(_ bytes: [UInt8], to address: String) -> Bool {
        unsafe withAddress(address, 0) {
            unsafe sendto(number, bytes, bytes.count, 0, $0, $1) == bytes.count
        }
    }

    /// Sends a datagram of some length from a connected socket.
    func send(bytes count: Int) -> Bool {
        let bytes = [UInt8](repeating: 7, count: count)
        return unsafe Glibc.send(number, bytes, count, 0) == count
    }

    /// What arrives next, within the socket's patience.
    func receive() -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: 65536)
        let count = unsafe recv(number, &bytes, bytes.count, 0)
        return count < 0 ? nil : Array(bytes[..<count])
    }

    private static func answer(_ code: Int32) -> Answer {
        switch code {
        case ECONNREFUSED, EHOSTUNREACH: .refused
        case EINPROGRESS, EAGAIN, ETIMEDOUT: .silent
        default: .other(code)
        }
    }

    private func withAddress<Value>(
        _ text: String, _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Value
    ) -> Value {
        if text.contains(":") {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            unsafe inet_pton(AF_INET6, text, &address.sin6_addr)
            return unsafe withUnsafePointer(to: &address) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe body($0, socklen_t(MemoryLayout<sockaddr_in6>.size))
                }
            }
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        unsafe inet_pton(AF_INET, text, &address.sin_addr)
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
