/// A flat hash table from endpoints to numbers, built once and then only read.
@safe
struct EndpointIndex {
    /// What is looked up: an address and a tag that tells kinds of keys apart.
    struct Key: Hashable {
        var address: IPAddress
        /// kind << 32 | protocol << 16 | port.
        var tag: UInt64

        static func endpoint(
            _ transport: TransportProtocol, _ address: IPAddress, _ port: UInt16
        ) -> Key {
            Key(address: address, tag: 1 << 32 | UInt64(transport.rawValue) << 16 | UInt64(port))
        }

        static func mark(_ mark: UInt32, _ family: AddressFamily) -> Key {
            Key(
                address: IPAddress(high: UInt64(family.rawValue), low: UInt64(mark)),
                tag: 2 << 32)
        }

        /// An address of which every port is served although no service has port 0.
        static func everyPort(_ transport: TransportProtocol, _ address: IPAddress) -> Key {
            Key(address: address, tag: 5 << 32 | UInt64(transport.rawValue) << 16)
        }

        /// Any port of an address, of one protocol or of all (nil).
        static func address(_ transport: TransportProtocol?, _ address: IPAddress) -> Key {
            guard let transport else { return Key(address: address, tag: 4 << 32) }
            return Key(address: address, tag: 3 << 32 | UInt64(transport.rawValue) << 16)
        }

        var hash: UInt64 {
            let folded = (address.high &* 0x9e37_79b9_7f4a_7c15) ^ address.low ^ (tag << 23) ^ tag
            let mixed = (folded ^ folded >> 32) &* 0xd6e8_feb8_6659_fd93
            return mixed ^ mixed >> 32
        }
    }

    private struct Slot {
        var address: IPAddress
        /// 0 is an empty slot.
        var tag: UInt64
        var value: UInt32
    }

    private let slots: UnsafeMutablePointer<Slot>
    private let mask: UInt64

    /// Later entries with the key of an earlier one are dropped.
    init(_ entries: [(Key, UInt32)]) {
        var size = 8
        while size < entries.count * 2 { size *= 2 }
        unsafe slots = .allocate(capacity: size)
        unsafe slots.initialize(
            repeating: Slot(address: .anyV6, tag: 0, value: 0), count: size)
        mask = UInt64(size - 1)
        for (key, value) in entries where find(key) == nil {
            var position = key.hash & mask
            while unsafe slots[Int(position)].tag != 0 { position = (position + 1) & mask }
            unsafe slots[Int(position)] = Slot(address: key.address, tag: key.tag, value: value)
        }
    }

    func deallocate() { unsafe slots.deallocate() }

    /// The number of a key; at most half of the slots are taken, so the search ends.
    func find(_ key: Key) -> UInt32? {
        var position = key.hash & mask
        while true {
            let slot = unsafe slots[Int(position)]
            if slot.tag == 0 { return nil }
            if slot.tag == key.tag, slot.address == key.address { return slot.value }
            position = (position + 1) & mask
        }
    }
}
