extension CaptureReader {
    // What a block says; offsets are counted from its first byte.

    /// Reads a block; the packet if it is one that can be had.
    @inline(__always)
    func take(_ block: PcapngBlock) -> CapturedPacket? {
        switch block.kind {
        case .packet: return takePacket(block)
        case .simplePacket: return takeSimple(block)
        case .obsoletePacket: return takeObsolete(block)
        case .section: takeSection(block)
        case .interface: takeInterface(block)
        case .names, .statistics, .journal, .secrets, .custom, .customLocal: break
        case nil: remark(.unknownBlock) { "a block of the unknown type \(block.type)" }
        }
        return nil
    }

    private func takeSection(_ block: PcapngBlock) {
        section = PcapngSection(order: block.order)
        guard block.length >= 28 else {
            return remark(.absurdLength) { "a section header of \(block.length) bytes" }
        }
        let major = unsafe block.order.u16(window.bytes, 12)
        guard major != 1 else { return }
        remark(.unknownBlock) { "a section of the unknown version \(major)" }
    }

    private func takeInterface(_ block: PcapngBlock) {
        guard block.length >= 20 else {
            return remark(.absurdLength) {
                "a description of an interface of \(block.length) bytes"
            }
        }
        let bytes = unsafe window.bytes
        var found = unsafe CaptureInterface(
            name: "", linkType: UInt32(block.order.u16(bytes, 8)),
            snapshotLength: block.order.u32(bytes, 12))
        var resolution: UInt8 = 6
        var offset: Int64 = 0
        unsafe block.forEachOption(of: bytes, from: 16) { code, value in
            guard let start = value.baseAddress, unsafe !value.isEmpty else { return }
            switch (code, value.count) {
            case (2, _):
                // Some writers count the zero at the end.
                let name = unsafe value.prefix(CaptureRecord.mostName).prefix { $0 != 0 }
                unsafe found.name = String(decoding: name, as: UTF8.self)
            case (9, 1): resolution = unsafe value[0]
            case (13, 1): found.checkBytes = unsafe value[0]
            case (14, 8): offset = unsafe Int64(bitPattern: block.order.u64(start, 0))
            default: break
            }
        }
        guard section.interfaces.count < Self.mostInterfaces, let index = index(of: found) else {
            return remark(.tooManyInterfaces) {
                "more than \(Self.mostInterfaces) interfaces"
            }
        }
        // Taken out and put back: a property that is changed in place is checked at every packet.
        var changed = section
        section = PcapngSection()
        changed.positions.insert(index)
        changed.interfaces.append(
            PcapngSection.Interface(
                index: index, snapshotLength: found.snapshotLength,
                clock: PcapngClock(resolution: resolution, offset: offset)))
        section = changed
    }

    /// Position among the file's interfaces, a new one if need be; nil when there are too many.
    ///
    /// What has the name of an interface of an earlier section is that: captures that were put one
    /// behind the other are of the same machine.
    private func index(of interface: CaptureInterface) -> Int? {
        if let known = position(of: interface), !section.positions.contains(known) {
            return known
        }
        return add(interface)
    }

    private func takePacket(_ block: PcapngBlock) -> CapturedPacket? {
        number += 1
        guard block.length >= 32 else { return short(block) }
        let bytes = unsafe window.bytes
        let order = block.order
        let options: Int
        let captured = unsafe Int(order.u32(bytes, 20))
        let room = block.length - 32
        guard captured <= room else { return beyond(captured, room) }
        options = 28 + (captured + 3) & ~3
        var direction = CapturedPacket.Direction.unknown
        if options + 8 <= block.length {
            direction = unsafe readOptions(block, bytes, from: options)
        }
        return unsafe deliver(
            UnsafeRawBufferPointer(start: bytes + 28, count: captured),
            length: order.u32(bytes, 24), local: Int(order.u32(bytes, 8)),
            units: UInt64(order.u32(bytes, 12)) << 32 | UInt64(order.u32(bytes, 16)),
            direction: direction)
    }

    private func takeObsolete(_ block: PcapngBlock) -> CapturedPacket? {
        number += 1
        guard block.length >= 32 else { return short(block) }
        let bytes = unsafe window.bytes
        let order = block.order
        let captured = unsafe Int(order.u32(bytes, 20))
        let room = block.length - 32
        guard captured <= room else { return beyond(captured, room) }
        let direction = unsafe readOptions(block, bytes, from: 28 + (captured + 3) & ~3)
        return unsafe deliver(
            UnsafeRawBufferPointer(start: bytes + 28, count: captured),
            length: order.u32(bytes, 24), local: Int(order.u16(bytes, 8)),
            units: UInt64(order.u32(bytes, 12)) << 32 | UInt64(order.u32(bytes, 16)),
            direction: direction)
    }

    /// A packet of the section's first interface, without a time.
    private func takeSimple(_ block: PcapngBlock) -> CapturedPacket? {
        number += 1
        guard block.length >= 16 else { return short(block) }
        guard let interface = section.interfaces.first else { return strange(0) }
        let length = unsafe block.order.u32(window.bytes, 8)
        var captured = Int(length)
        if interface.snapshotLength > 0 { captured = min(captured, Int(interface.snapshotLength)) }
        let room = block.length - 16
        guard captured <= room else { return beyond(captured, room) }
        remark(.noTime) { "no time is told; it gets that of the packet before" }
        return unsafe deliver(
            UnsafeRawBufferPointer(start: window.bytes + 12, count: captured), length: length,
            time: lastTime ?? 0, interface: interface.index, direction: .unknown)
    }

    /// The direction that the options tell (epb_flags, pack_flags); the comment is kept for who asks.
    private func readOptions(
        _ block: PcapngBlock, _ bytes: UnsafeRawPointer, from offset: Int
    ) -> CapturedPacket.Direction {
        var direction = CapturedPacket.Direction.unknown
        unsafe block.forEachOption(of: bytes, from: offset) { code, value in
            if code == 1 { unsafe lastComment = unsafe value }
            guard code == 2, value.count == 4, let start = value.baseAddress else { return }
            direction =
                unsafe CapturedPacket.Direction(
                    rawValue: UInt8(block.order.u32(start, 0) & 3)) ?? .unknown
        }
        return direction
    }

    /// The packet, its interface and time looked up.
    @inline(__always)
    private func deliver(
        _ bytes: UnsafeRawBufferPointer, length: UInt32, local: Int, units: UInt64,
        direction: CapturedPacket.Direction
    ) -> CapturedPacket? {
        guard local < section.interfaces.count else { return strange(local) }
        guard bytes.count <= Self.mostBytes else {
            remark(.tooLong) {
                "\(bytes.count) bytes, at most \(Self.mostBytes) can be read; left out"
            }
            return nil
        }
        let interface = section.interfaces[local]
        let time: Int64
        if let told = interface.clock.time(units) {
            time = told
        } else {
            remark(.absurdTime) { "its time, \(units) units, is beyond all bounds" }
            time = lastTime ?? 0
        }
        return unsafe deliver(
            bytes, length: length, time: time, interface: interface.index, direction: direction)
    }

    private func short(_ block: PcapngBlock) -> CapturedPacket? {
        remark(.absurdLength) { "its block has \(block.length) bytes, too few for a packet" }
        return nil
    }

    private func beyond(_ captured: Int, _ room: Int) -> CapturedPacket? {
        remark(.absurdLength) { "\(captured) bytes in a block that has room for \(room)" }
        return nil
    }

    private func strange(_ interface: Int) -> CapturedPacket? {
        remark(.noInterface) { "of interface \(interface), which is not described" }
        return nil
    }
}
