internal import Glibc

/// The host's name databases and the C library's address notations.
///
/// Values are host order.
package enum Names {
    /// An IPv4 address in the traditional notation of `inet_aton`: one to four parts, octal with a
    /// leading 0, hexadecimal with 0x, blanks allowed behind.
    package static func traditionalIPv4(_ text: String) -> UInt32? {
        guard !text.utf8.contains(0) else { return nil }
        var address = in_addr()
        guard unsafe inet_aton(text, &address) != 0 else { return nil }
        return UInt32(bigEndian: address.s_addr)
    }

    /// An IPv6 address in the notation of RFC 4291 section 2.2, as its two halves.
    package static func ipv6(_ text: String) -> (high: UInt64, low: UInt64)? {
        guard !text.utf8.contains(0) else { return nil }
        var halves: (UInt64, UInt64) = (0, 0)
        guard unsafe inet_pton(AF_INET6, text, &halves) == 1 else { return nil }
        return (UInt64(bigEndian: halves.0), UInt64(bigEndian: halves.1))
    }

    /// The shortest text of an IPv6 address, as `inet_ntop` writes it.
    package static func text(ipv6 high: UInt64, _ low: UInt64) -> String {
        var halves = (high.bigEndian, low.bigEndian)
        return unsafe string(capacity: Int(INET6_ADDRSTRLEN)) { room, size in
            unsafe inet_ntop(AF_INET6, &halves, room, socklen_t(size)) != nil
        } ?? ""
    }

    /// The first IPv4 address of a host name, from the hosts file or a name server.
    package static func ipv4(ofHost name: String) -> UInt32? {
        guard isHostName(name) else { return nil }
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_INET
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(name, nil, &hints, &list) == 0, let first = unsafe list else {
            return nil
        }
        defer { unsafe freeaddrinfo(first) }
        guard let address = unsafe first.pointee.ai_addr else { return nil }
        return unsafe UnsafeRawPointer(address).withMemoryRebound(
            to: sockaddr_in.self, capacity: 1
        ) { UInt32(bigEndian: unsafe $0.pointee.sin_addr.s_addr) }
    }

    /// The host name of an IPv4 address, nil when nobody knows one.
    package static func host(ipv4 value: UInt32) -> String? {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = value.bigEndian
        return unsafe withUnsafePointer(to: &address) {
            unsafe host(UnsafeRawPointer($0), bytes: MemoryLayout<sockaddr_in>.size)
        }
    }

    /// The host name of an IPv6 address, nil when nobody knows one.
    package static func host(ipv6 high: UInt64, _ low: UInt64) -> String? {
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        unsafe withUnsafeMutableBytes(of: &address.sin6_addr) {
            unsafe $0.storeBytes(of: high.bigEndian, as: UInt64.self)
            unsafe $0.storeBytes(of: low.bigEndian, toByteOffset: 8, as: UInt64.self)
        }
        return unsafe withUnsafePointer(to: &address) {
            unsafe host(UnsafeRawPointer($0), bytes: MemoryLayout<sockaddr_in6>.size)
        }
    }

    /// The port a service name stands for (`http`, `tcp`), from the services file.
    package static func port(ofService name: String, transport: String) -> UInt16? {
        guard !name.utf8.contains(0), let entry = unsafe getservbyname(name, transport) else {
            return nil
        }
        return UInt16(truncatingIfNeeded: unsafe entry.pointee.s_port).byteSwapped
    }

    /// The name of a port, from the services file.
    package static func service(ofPort port: UInt16, transport: String) -> String? {
        guard let entry = unsafe getservbyport(Int32(port.bigEndian), transport),
            let name = unsafe entry.pointee.s_name
        else { return nil }
        return unsafe String(cString: name)
    }

    /// Whether a word can be a host name; asking name servers about slips of the pen takes seconds.
    private static func isHostName(_ word: String) -> Bool {
        guard let first = word.utf8.first, first != 0x2d else { return false }
        return word.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: true
            default: false
            }
        }
    }

    private static func host(_ address: UnsafeRawPointer, bytes: Int) -> String? {
        unsafe string(capacity: Int(NI_MAXHOST)) { room, size in
            unsafe getnameinfo(
                address.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes), room,
                socklen_t(size), nil, 0, NI_NAMEREQD) == 0
        }
    }

    private static func string(
        capacity: Int, _ fill: (UnsafeMutablePointer<CChar>, Int) -> Bool
    ) -> String? {
        unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: capacity) { room in
            unsafe room.initialize(repeating: 0)
            guard let start = room.baseAddress, unsafe fill(start, capacity) else {
                return nil
            }
            return unsafe String(cString: start)
        }
    }
}
