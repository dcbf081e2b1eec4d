/// Options of an IPv4 header, as a host on the way treats them (RFC 791 section 3.1, RFC 1812
/// section 5.2.4): routes and times are recorded, source routes refused.
enum IPOptions {
    /// What the options of a packet say about its fate.
    enum Outcome {
        case fine
        /// It asks for a route of its own choice.
        case sourceRouted
        /// An option contradicts itself.
        case malformed
    }

    private static let recordRoute: UInt8 = 7
    private static let timestamp: UInt8 = 68
    private static let looseRoute: UInt8 = 131
    private static let strictRoute: UInt8 = 137

    /// Fills in what the options of the header ask for, with `address` as our own, and writes the
    /// header's checksum; a header that is not fine is left as it is.
    static func record(
        _ header: UnsafeMutableRawPointer, length: Int, address: IPAddress, now: Instant
    ) -> Outcome {
        let outcome = unsafe walk(header, length, address, now, writes: false)
        guard outcome == .fine else { return outcome }
        _ = unsafe walk(header, length, address, now, writes: true)
        unsafe Checksum.writeHeader(header, count: length)
        return .fine
    }

    /// Looks at every option, and changes those that ask for it when it `writes`.
    private static func walk(
        _ header: UnsafeMutableRawPointer, _ length: Int, _ address: IPAddress, _ now: Instant,
        writes: Bool
    ) -> Outcome {
        var position = 20
        var outcome = Outcome.fine
        while position < length {
            let kind = unsafe header.byte(position)
            if kind == 0 { break }
            if kind == 1 {
                position += 1
                continue
            }
            guard position + 1 < length else { return .malformed }
            let size = unsafe Int(header.byte(position + 1))
            guard size >= 2, size <= length - position else { return .malformed }
            let option = unsafe header + position
            switch kind {
            case recordRoute:
                guard unsafe recordRoute(option, size, address, writes) else { return .malformed }
            case timestamp:
                guard unsafe recordTime(option, size, address, now, writes) else {
                    return .malformed
                }
            case looseRoute, strictRoute:
                guard size >= 3, unsafe option.byte(2) >= 4 else { return .malformed }
                outcome = .sourceRouted
            default: break
            }
            position += size
        }
        return outcome
    }

    /// Adds our address to a recorded route while there is room; false when the option is broken.
    private static func recordRoute(
        _ option: UnsafeMutableRawPointer, _ size: Int, _ address: IPAddress, _ writes: Bool
    ) -> Bool {
        guard size >= 3 else { return false }
        let pointer = unsafe Int(option.byte(2))
        guard pointer >= 4 else { return false }
        guard pointer <= size else { return true }
        guard pointer + 3 <= size else { return false }
        guard writes else { return true }
        unsafe option.set(pointer - 1, be32: address.v4)
        unsafe option.set(2, byte: UInt8(pointer + 4))
        return true
    }

    /// Adds a time, with our address where it is asked for, or counts that there was no room; false
    /// when the option is broken.
    private static func recordTime(
        _ option: UnsafeMutableRawPointer, _ size: Int, _ address: IPAddress, _ now: Instant,
        _ writes: Bool
    ) -> Bool {
        guard size >= 4 else { return false }
        let pointer = unsafe Int(option.byte(2))
        guard pointer >= 5 else { return false }
        let flag = unsafe option.byte(3) & 15
        // The highest bit says that this is not the time of day, which the engine does not know.
        let time = UInt32(truncatingIfNeeded: now.nanoseconds / 1_000_000) | 0x8000_0000
        guard pointer <= size else {
            guard flag != 3 else { return true }
            let missed = unsafe option.byte(3) >> 4
            guard missed != 15 else { return false }
            if writes { unsafe option.set(3, byte: flag | (missed + 1) << 4) }
            return true
        }
        switch flag {
        case 0:
            guard pointer + 3 <= size else { return false }
            guard writes else { return true }
            unsafe option.set(pointer - 1, be32: time)
            unsafe option.set(2, byte: UInt8(pointer + 4))
        case 1, 3:
            guard pointer + 7 <= size else { return false }
            // Asked of one address only, it is none of ours unless that is the one.
            guard unsafe flag == 1 || option.be32(pointer - 1) == address.v4 else { return true }
            guard writes else { return true }
            unsafe option.set(pointer - 1, be32: address.v4)
            unsafe option.set(pointer + 3, be32: time)
            unsafe option.set(2, byte: UInt8(pointer + 8))
        default: return false
        }
        return true
    }
}
