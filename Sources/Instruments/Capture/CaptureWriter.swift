package import LVS
package import Posix

/// Writes packets to a capture file, pcap with times in nanoseconds or pcapng.
///
/// The same packets give the same bytes, every time and on every machine (numbers are little-endian).
/// What fails is told once, by the call that met it; the file then ends behind the last packet that is
/// whole, and nothing more is written. Safe because a record is only begun where it has room.
@safe
package final class CaptureWriter {
    package enum Format: Sendable {
        /// One kind of link, no interfaces, no comments.
        case pcap
        /// Interfaces, directions and comments.
        case pcapng

        /// The format that a file's name asks for.
        package static func named(by path: String) -> Format {
            path.hasSuffix(".pcapng") || path.hasSuffix(".ntar") ? .pcapng : .pcap
        }
    }

    /// Takes bytes of the file, as many as it can at once, at least one.
    package typealias Sink = (UnsafeRawBufferPointer) throws(SystemError) -> Int

    private static let capacity = 1 << 20
    /// What a record can need beside its packet: headers, options, a comment.
    private static let mostBeside = 128 + CaptureRecord.mostComment

    /// What the operator calls the file.
    package let name: String
    package let format: Format
    package private(set) var interfaces: [CaptureInterface]
    /// Packets that are in the file.
    package private(set) var packets: UInt64 = 0
    /// Bytes that are in the file, all of whole packets.
    package private(set) var bytes: UInt64 = 0
    /// Why nothing more is written.
    package private(set) var failure: CaptureError?

    private let memory: UnsafeMutableRawPointer
    private var used = 0
    private var waiting: UInt64 = 0
    private var sink: Sink?
    private var isOpen = true
    private var cut: ((UInt64) -> Void)?

    /// Makes the file, or empties one that is there; standard output for `-`.
    ///
    /// A file among `spared`, those that are being read, is left alone and refused.
    package convenience init(
        path: String, format: Format? = nil, interfaces: [CaptureInterface],
        sparing spared: [Files.Identity] = []
    ) throws(CaptureError) {
        let name = path == "-" ? "standard output" : path
        let format = format ?? .named(by: path)
        try Self.check(interfaces, format, name)
        let file: OutputFile
        do throws(SystemError) {
            file = try OutputFile(path: path, sparing: spared)
        } catch {
            throw Self.refusal(error, name)
        }
        guard !file.isTerminal else {
            throw CaptureError(
                .badArgument, "\(name) is a terminal; write the capture to a file or a pipe")
        }
        let output = Output(file)
        try unsafe self.init(name: name, format: format, interfaces: interfaces) {
            bytes throws(SystemError) in try unsafe output.file.write(bytes)
        }
        // What cannot be cut is read up to there all the same.
        cut = { bytes in try? output.file.cut(to: bytes) }
    }

    /// Writes to anything that takes bytes.
    package init(
        name: String, format: Format, interfaces: [CaptureInterface], sink: @escaping Sink
    ) throws(CaptureError) {
        try Self.check(interfaces, format, name)
        self.name = name
        self.format = format
        self.interfaces = interfaces
        unsafe self.sink = unsafe sink
        unsafe memory = .allocate(byteCount: Self.capacity, alignment: 64)
        switch format {
        case .pcap:
            unsafe used = CaptureRecord.putPcapHeader(interfaces.first, at: memory)
        case .pcapng:
            unsafe used = CaptureRecord.putSection(at: memory)
            for interface in interfaces {
                try describe(interface)
            }
        }
    }

    deinit {
        try? close()
        unsafe memory.deallocate()
    }

    /// Writes a packet of which `packet` is what was captured and `length` what there was.
    ///
    /// `time` is nanoseconds since 1970; what lies outside of what the format holds (pcap: from 1970 to
    /// 2106) becomes its bound. Of more than `CaptureReader.mostBytes` bytes the first ones are kept.
    /// `vlan` is a tag that was taken out, as in `Frame.vlan`: it is put back behind both addresses,
    /// if they are there, and counted to what there was.
    package func write(
        _ packet: UnsafeRawBufferPointer, length: UInt32? = nil, vlan: UInt32 = 0, time: Int64,
        interface: Int = 0, direction: CapturedPacket.Direction = .unknown, comment: String? = nil
    ) throws(CaptureError) {
        guard let base = packet.baseAddress else { return }
        let tag = packet.count >= 12 ? vlan : 0
        let length = Int(length ?? UInt32(clamping: packet.count)) + (tag == 0 ? 0 : 4)
        let record = unsafe CaptureRecord(
            bytes: base, count: packet.count, length: length, vlan: tag, time: time,
            interface: interface, direction: direction)
        try put(record, comment)
    }

    /// Writes a frame as it is on the wire: a VLAN tag that was taken out is put back.
    ///
    /// Its last `missing` bytes were never captured and are left out.
    package func write(
        _ frame: borrowing Frame, missing: Int = 0, time: Int64, interface: Int = 0,
        direction: CapturedPacket.Direction = .unknown, comment: String? = nil
    ) throws(CaptureError) {
        let packet = unsafe UnsafeRawBufferPointer(
            start: frame.bytes, count: Int(frame.length) - missing)
        try unsafe write(
            packet, length: UInt32(frame.length), vlan: frame.vlan, time: time,
            interface: interface, direction: direction, comment: comment)
    }

    /// Adds an interface, as a capture that is read may describe one late; its position.
    ///
    /// To a pcap file one of another link type cannot be added.
    package func add(_ interface: CaptureInterface) throws(CaptureError) -> Int {
        try Self.check(interfaces + [interface], format, name)
        if format == .pcapng, isOpen { try describe(interface) }
        interfaces.append(interface)
        return interfaces.count - 1
    }

    private func describe(_ interface: CaptureInterface) throws(CaptureError) {
        if used + CaptureRecord.mostDescription > Self.capacity { try flush() }
        let size = unsafe CaptureRecord.putInterface(interface, at: memory + used)
        used = used + size
    }

    /// Brings everything to the file.
    package func flush() throws(CaptureError) {
        var done = 0
        while done < used, let sink = unsafe sink {
            do throws(SystemError) {
                done += try unsafe sink(
                    UnsafeRawBufferPointer(start: memory + done, count: used - done))
            } catch {
                throw fail(error, after: done)
            }
        }
        guard failure == nil else { return }
        bytes += UInt64(used)
        packets += waiting
        used = 0
        waiting = 0
    }

    /// Writes what is left and closes the file; more calls do nothing.
    package func close() throws(CaptureError) {
        defer {
            isOpen = false
            unsafe sink = nil
            cut = nil
        }
        if unsafe sink != nil { try flush() }
    }

    private func put(_ record: CaptureRecord, _ comment: String?) throws(CaptureError) {
        guard interfaces.indices.contains(record.interface) else {
            throw CaptureError(
                .badArgument,
                "\(name): a packet of interface \(record.interface), and"
                    + " \(interfaces.count) are described")
        }
        if used + CaptureReader.mostBytes + Self.mostBeside > Self.capacity { try flush() }
        guard isOpen else { return }
        let target = unsafe memory + used
        let size =
            switch format {
            case .pcap: unsafe record.putPcap(at: target)
            case .pcapng: unsafe record.putPcapng(at: target, comment)
            }
        used = used + size
        waiting = waiting + 1
    }

    /// Ends the file behind the last packet that is whole; of the buffer `done` bytes were taken.
    private func fail(_ error: SystemError, after done: Int) -> CaptureError {
        let whole = unsafe CaptureRecord.whole(
            UnsafeRawBufferPointer(start: memory, count: done), format, hasHeader: bytes == 0)
        bytes += UInt64(whole.bytes)
        packets += whole.packets
        cut?(bytes)
        used = 0
        waiting = 0
        isOpen = false
        unsafe sink = nil
        let failure = CaptureError(error)
        self.failure = failure
        return failure
    }

    private static func refusal(_ error: SystemError, _ name: String) -> CaptureError {
        if error.isExisting {
            return CaptureError(
                .badArgument, "\(name) is being read; write the capture to another file")
        }
        if error.isInvalid {
            return CaptureError(
                .badArgument, "\(name) is neither a file nor a pipe; nothing was written to it")
        }
        return CaptureError(error)
    }

    private static func check(
        _ interfaces: [CaptureInterface], _ format: Format, _ name: String
    ) throws(CaptureError) {
        guard let first = interfaces.first else {
            throw CaptureError(.badArgument, "\(name): a capture needs an interface")
        }
        guard interfaces.count <= CaptureReader.mostInterfaces else {
            throw CaptureError(
                .unsupported,
                "\(name): \(interfaces.count) interfaces; at most \(CaptureReader.mostInterfaces)")
        }
        let other = interfaces.first { $0.linkType != first.linkType }
        if let other, format == .pcap {
            throw CaptureError(
                .unsupported,
                "\(name): a pcap file holds one link type, not \(first.linkType) and"
                    + " \(other.linkType); name it .pcapng")
        }
        guard let wide = interfaces.first(where: { $0.linkType > 0xffff }) else { return }
        throw CaptureError(.unsupported, "\(name): there is no link type \(wide.linkType)")
    }

    /// Lets closures own the file.
    private final class Output {
        let file: OutputFile

        init(_ file: consuming OutputFile) { self.file = file }
    }
}
