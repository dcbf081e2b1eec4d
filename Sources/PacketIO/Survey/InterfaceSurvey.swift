internal import CPacketIO
internal import Posix

/// What can be seen of one interface without opening it.
package struct InterfaceSurvey: Hashable, Sendable {
    /// What a driver's features are: on, off, or not told.
    package struct Features: Hashable, Sendable {
        package var segmentation: Bool?
        package var genericSegmentation: Bool?
        package var genericReceive: Bool?
        package var largeReceive: Bool?
        package var transmitChecksum: Bool?
        package var receiveChecksum: Bool?

        package init() {}
    }

    /// How AF_XDP can be had.
    package enum XDP: Hashable, Sendable {
        case native(zeroCopy: Bool)
        case generic
        /// The kernel does not tell (before 6.3); it is tried at the start.
        case untold
    }

    package var name: String
    /// The kernel's driver: `veth`, `virtio_net`, `ixgbe`.
    package var driver: String
    package var mtu: Int
    package var isUp: Bool
    package var hasCarrier: Bool
    package var receiveQueues: Int
    /// Slots of the card's own ring, now and at most; nil when it does not say.
    package var ring: (now: Int, most: Int)? { ringNow.map { ($0, ringMost) } }
    private var ringNow: Int?
    private var ringMost = 0
    package var features = Features()
    package var xdp = XDP.untold
    /// Number of the XDP program that is attached; 0 without one.
    package var xdpProgram = 0
    /// CPUs that get its receive interrupts, and those that received frames are passed on to.
    package var interruptProcessors: [Int] = []
    package var steeredProcessors: [Int] = []

    /// An interface with features that nobody has told yet.
    package init(
        name: String, driver: String, mtu: Int, isUp: Bool = true, hasCarrier: Bool = true,
        receiveQueues: Int = 1
    ) {
        self.name = name
        self.driver = driver
        self.mtu = mtu
        self.isUp = isUp
        self.hasCarrier = hasCarrier
        self.receiveQueues = receiveQueues
    }

    /// Looks at an interface of the calling thread's network namespace.
    package init(_ link: Link) {
        var card = CPacketIO.survey_card()
        unsafe survey_card(link.name, &card)
        let told = unsafe withUnsafeBytes(of: card.driver) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        self.init(
            name: link.name, driver: told.isEmpty ? link.kind : told, mtu: Int(link.mtu),
            isUp: link.isUp, hasCarrier: link.hasCarrier,
            receiveQueues: unsafe Int(xdp_queue_count(link.name)))
        if card.receive_ring > 0 {
            ringNow = Int(card.receive_ring)
            ringMost = Int(card.receive_ring_most)
        }
        let told3 = { (value: Int8) in value < 0 ? nil : value != 0 }
        features.segmentation = told3(card.tso)
        features.genericSegmentation = told3(card.gso)
        features.genericReceive = told3(card.gro)
        features.largeReceive = told3(card.lro)
        features.transmitChecksum = told3(card.transmit_checksum)
        features.receiveChecksum = told3(card.receive_checksum)
        xdp = InterfaceSurvey.xdp(of: link.index)
        xdpProgram = Int(max(0, survey_xdp_program(link.index)))
        let device = "/sys/class/net/\(link.name)"
        steeredProcessors = InterfaceSurvey.processors(below: "\(device)/queues") { queue in
            (try? Files.read("\(device)/queues/\(queue)/rps_cpus"))
                .flatMap { ProcessorLayout.mask($0) }
        }
        interruptProcessors = InterfaceSurvey.processors(below: "\(device)/device/msi_irqs") {
            irq in
            (try? Files.read("/proc/irq/\(irq)/effective_affinity_list"))
                .flatMap { ProcessorLayout.list($0) }
        }
    }

    private static func xdp(of interface: Int32) -> XDP {
        var features: UInt64 = 0
        guard unsafe survey_xdp(interface, &features) == 0 else { return .untold }
        let needed = UInt64(SURVEY_XDP_BASIC | SURVEY_XDP_REDIRECT)
        guard features & needed == needed else { return .generic }
        return .native(zeroCopy: features & UInt64(SURVEY_XDP_ZERO_COPY) != 0)
    }

    private static func processors(below directory: String, _ read: (String) -> [Int]?) -> [Int] {
        Array(Set(Files.list(directory).compactMap(read).joined())).sorted()
    }

    /// What was found, in one line.
    package var text: String {
        var parts = [driver.isEmpty ? "driver unknown" : driver]
        parts.append(isUp ? hasCarrier ? "up" : "up without carrier" : "down")
        parts.append("MTU \(mtu)")
        parts.append("\(receiveQueues) receive queue\(receiveQueues == 1 ? "" : "s")")
        if let ring { parts.append("ring of \(ring.now) (at most \(ring.most))") }
        let told: [(String, Bool?)] = [
            ("tso", features.segmentation), ("gso", features.genericSegmentation),
            ("gro", features.genericReceive), ("lro", features.largeReceive),
            ("tx-checksum", features.transmitChecksum), ("rx-checksum", features.receiveChecksum),
        ]
        parts += told.compactMap { name, isOn in isOn.map { "\(name) \($0 ? "on" : "off")" } }
        switch xdp {
        case .native(let zeroCopy): parts.append("XDP native\(zeroCopy ? ", zero-copy" : "")")
        case .generic: parts.append("XDP generic only")
        case .untold: break
        }
        if !interruptProcessors.isEmpty {
            parts.append("interrupts on CPU \(ProcessorLayout.text(interruptProcessors))")
        }
        if !steeredProcessors.isEmpty {
            parts.append("RPS to CPU \(ProcessorLayout.text(steeredProcessors))")
        }
        return parts.joined(separator: ", ")
    }
}
