import Foundation
import LVS
import PacketIO
import TestKit
import Testing

/// A driver as the suite knows it: how it is opened, and what it cannot do.
///
/// A new driver joins by one row in `all`.
struct DriverRow: Sendable, CustomTestStringConvertible {
    /// What is at the driver's other side.
    enum Place: Sendable {
        /// Nothing: frames are handed over by calls.
        case memory
        /// A cable whose ends take packets of so many bytes.
        case cable(mtu: Int)
        /// A bridge, with the cable as its only port.
        case bridge
    }

    /// How a checksum that the sender left undone leaves again.
    enum Sums: Sendable {
        /// As it came, and the next in line is told.
        case toldOn
        /// Finished by the driver.
        case finished
    }

    /// What becomes of super-frames.
    enum SuperFrames: Sendable {
        case whole
        /// Whole, but the kernel keeps the size of their segments to itself: those of TCP get one that
        /// fits, and joined datagrams do not leave and are counted.
        case wholeWithoutSize
        /// Somebody before the driver cuts them, and the driver those that others hand it.
        case segments
        /// They do not arrive and are counted; `summary` says so in these words.
        case lost(says: String)
    }

    var name: String
    var place: Place
    var sums: Sums
    var superFrames: SuperFrames
    /// Frames that are held for a driver that does not look; nil: any number.
    var ring: Int?
    /// Pieces of memory that frames lie in.
    var pieces: Int
    /// Longest frame that arrives whole, bytes; nil: any.
    var longest: Int?
    /// Whether frames for others reach the driver, which counts them as ignored; nil: it takes all.
    var seesOthers: Bool?
    /// What `summary` says where tags do not reach the driver; nil: they do.
    var losesTags: String?
    /// Whether IP packets that end before they say reach the driver; else the host throws them away.
    var seesBroken = true
    /// What the refusal of a caller without privileges names; nil: needs none.
    var privileges: String?
    /// Words of the refusal where another XDP program is attached; nil: none of its business.
    var refusesOtherProgram: String?
    /// Opens the interface in the calling thread's namespace.
    var open: @Sendable (String, PortIndex) throws -> any InterfaceDriver

    var testDescription: String { name }

    /// Opens a driver at its place, fresh.
    func bench() throws -> DriverBench {
        if case .memory = place { return MemoryBench(isWrapped: name != "memory") }
        return try CableBench(place, open: open)
    }

    static let memory = DriverRow(
        name: "memory", place: .memory, sums: .toldOn, superFrames: .whole, ring: nil, pieces: 1,
        longest: nil, seesOthers: nil, losesTags: nil, privileges: nil, refusesOtherProgram: nil,
        open: { name, _ in throw DriverError(.noSuchInterface, name) })

    /// Few slots, so that the rounds of the suite go around the ring many times.
    static let afpacket = DriverRow(
        name: "afpacket", place: .cable(mtu: 1500), sums: .toldOn, superFrames: .whole, ring: 124,
        pieces: 124, longest: nil, seesOthers: true, losesTags: nil, privileges: "CAP_NET_RAW",
        refusesOtherProgram: nil,
        open: { name, port in
            var options = AFPacketDriver.Options()
            options.slots = 124
            return try AFPacketDriver(interface: name, port: port, options: options)
        })

    private static func xdp(
        _ mode: String, _ place: Place, longest: Int, _ superFrames: SuperFrames
    ) -> DriverRow {
        DriverRow(
            name: "xdp \(mode)", place: place, sums: .finished, superFrames: superFrames,
            ring: 2048, pieces: 8192, longest: longest, seesOthers: false,
            losesTags: mode == "bridge" ? "VLAN tags that a card or a bridge takes out" : nil,
            privileges: "CAP_BPF",
            refusesOtherProgram: "another XDP program is attached",
            open: { name, port in
                var options = XDPDriver.Options()
                options.takesEverything = true
                let driver = try XDPDriver(interface: name, port: port, options: options)
                let wanted = mode == "native" ? "xdp: native mode" : "xdp: generic mode"
                guard driver.summary.hasPrefix(wanted) else {
                    throw DriverError(.system, "\(wanted) expected, not \(driver.summary)")
                }
                return driver
            })
    }

    static let xdpNative = xdp("native", .cable(mtu: 1500), longest: 1792, .segments)
    private static let lostWords = "segmentation offload of whoever sends here must be off"
    /// Native mode refuses this MTU.
    static let xdpGeneric = xdp(
        "generic", .cable(mtu: 3600), longest: 3840, .lost(says: lostWords))
    static let xdpBridge = xdp("bridge", .bridge, longest: 1792, .lost(says: lostWords))

    /// Everything to the addresses of the suite's frames comes by the queue that has the port's
    /// number, so that a driver which is opened again has to get the same one.
    static let nfqueue = DriverRow(
        name: "nfqueue", place: .cable(mtu: 1500), sums: .toldOn, superFrames: .wholeWithoutSize,
        ring: 8192, pieces: 64, longest: nil, seesOthers: false,
        losesTags: "VLAN tags are left to the host's own interfaces", seesBroken: false,
        privileges: "CAP_NET_RAW", refusesOtherProgram: nil,
        open: { name, port in
            let commons = NFQueueCommons()
            commons.use(try QueueRange("\(port)"))
            let driver = try NFQueueDriver(
                interface: name, port: port, worker: 0, commons: commons)
            // IPv6 gets as far as the rules, and the host says nothing by itself.
            let settings = "/proc/sys/net/ipv6/conf/\(name)"
            for (setting, value) in [("addr_gen_mode", "1"), ("disable_ipv6", "0")] {
                try Data(value.utf8).write(to: URL(fileURLWithPath: "\(settings)/\(setting)"))
            }
            commons.followForwarding()
            try QueueRules(commons).update(TestFrame.served)
            return driver
        })

    /// The wrapper of tests while it does no harm.
    static var wrappedMemory: DriverRow {
        var row = memory
        row.name = "memory wrapped"
        return row
    }

    /// Drivers as they are when a capture looks on.
    private static func captured(_ row: DriverRow) -> DriverRow {
        var captured = row
        captured.name += " captured"
        captured.open = { name, port in
            let directory = FileManager.default.temporaryDirectory
            let path = directory.appending(path: "captured-\(UUID()).pcap").path
            let file = try CaptureFile(path: path, bytes: 1 << 30, workers: 1)
            let driver = try row.open(name, port)
            try file.begin()
            // The file goes with its name, and its thread with this process.
            try FileManager.default.removeItem(atPath: path)
            return file.capturing(driver, worker: 0)
        }
        return captured
    }

    /// Every driver; those that need a kernel's help where this process may ask for it.
    static let all = [memory, wrappedMemory] + onKernel
    /// Those that serve an interface.
    static let onKernel =
        TestNetwork.isPossible
        ? [
            afpacket, captured(afpacket), xdpNative, xdpGeneric, xdpBridge, nfqueue,
            captured(nfqueue),
        ] : []
}
