package import LVS

/// The drivers that exist, by the scheme an operator writes before the interface: `afpacket:eth0`.
package enum DriverRegistry {
    /// What every driver can be told at opening.
    package struct Options: Sendable {
        /// Whether the director answers for some address (`--answer`).
        package var answersAddresses = false
        /// Whether it may do so later for addresses that the host need not answer for, which some
        /// drivers hear no questions for (local addresses of services).
        package var mayAnswerAddresses = false
        /// How many interfaces are to be opened with these options.
        package var interfaces = 1
        /// How many workers there are; each has a driver of its own on every interface.
        package var workers = 1
        /// The worker that the driver is for, from 0; workers open an interface in their order.
        package var worker = 0
        /// What the drivers opened with these options share.
        package var commons = DriverCommons()
        /// The file to show all frames to.
        package var capture: CaptureFile?

        package init() {}
    }

    /// The scheme of an interface written without one.
    package static let defaultScheme = "afpacket"

    private static let drivers: [Entry] = [
        Entry(scheme: "afpacket", open: openAFPacket),
        Entry(scheme: "xdp", open: openXDP),
        Entry(scheme: "nfqueue", open: openNFQueue),
    ]

    /// All schemes, the default first.
    package static var schemes: [String] { drivers.map(\.scheme) }

    /// Scheme and interface of `scheme:interface`, or of an interface alone.
    package static func split(
        _ text: String
    ) throws(DriverError) -> (scheme: String, interface: String) {
        // Interface names of the kernel have no colon, except old alias labels, which no driver
        // could be bound to.
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let scheme = parts.count == 2 ? String(parts[0]) : defaultScheme
        let interface = String(parts[parts.count - 1])
        guard schemes.contains(scheme) else {
            throw DriverError(
                .unknownScheme,
                "\(text): no driver is called \"\(scheme)\"; there is \(schemes.joined(separator: ", "))"
            )
        }
        guard !interface.isEmpty else {
            throw DriverError(.badArgument, "\(text): name an interface, as in \(scheme):eth0")
        }
        return (scheme, interface)
    }

    /// The interfaces that an operator's words name, in order; none for all that are up, which
    /// `nfqueue:0` serves together.
    package static func interfaces(_ words: [String]) throws(DriverError) -> [String] {
        var names: [String] = []
        for word in words {
            let (scheme, argument) = try split(word)
            guard scheme == "nfqueue" else {
                names.append(argument)
                continue
            }
            _ = try QueueRange(argument)
            guard words.count == 1 else {
                throw DriverError(
                    .badArgument,
                    "\(word): the queue takes packets of every interface; name no other beside it"
                        + " (\(words.filter { $0 != word }.joined(separator: ", ")))")
            }
        }
        return names
    }

    /// What `open` takes for an interface, given the operator's words and the interface's position
    /// among those that are served.
    package static func text(for interface: String, at position: Int, of words: [String]) -> String
    {
        guard let first = words.first else { return interface }
        guard !first.hasPrefix("nfqueue:") else { return "\(first):\(interface)" }
        return position < words.count ? words[position] : interface
    }

    /// Opens the driver that `text` names, in the calling thread's network namespace.
    package static func open(
        _ text: String, port: PortIndex, options: Options = Options()
    ) throws(DriverError) -> any InterfaceDriver {
        let (scheme, interface) = try split(text)
        for entry in drivers where entry.scheme == scheme {
            let driver = try entry.open(interface, port, options)
            return options.capture?.capturing(driver, worker: options.worker) ?? driver
        }
        throw DriverError(.unknownScheme, "\(text): no driver is called \"\(scheme)\"")
    }

    private struct Entry: Sendable {
        var scheme: String
        var open: @Sendable (String, PortIndex, Options) throws(DriverError) -> any InterfaceDriver
    }

    @Sendable
    private static func openAFPacket(
        _ interface: String, port: PortIndex, options: Options
    ) throws(DriverError) -> any InterfaceDriver {
        var own = AFPacketDriver.Options()
        own.receivesSolicitations = options.answersAddresses || options.mayAnswerAddresses
        own.worker = options.worker
        return try AFPacketDriver(
            interface: interface, port: port, options: own,
            group: options.commons.group(for: interface, workers: options.workers))
    }

    @Sendable
    private static func openXDP(
        _ interface: String, port: PortIndex, options: Options
    ) throws(DriverError) -> any InterfaceDriver {
        guard !options.answersAddresses else {
            throw DriverError(
                .badArgument,
                "xdp:\(interface): ARP and neighbour discovery go to the host there, so --answer does"
                    + " not work; configure the address on the host or use afpacket:\(interface)")
        }
        var own = XDPDriver.Options()
        own.interfaces = options.interfaces
        own.commons = options.commons
        own.workers = options.workers
        own.worker = options.worker
        return try XDPDriver(interface: interface, port: port, options: own)
    }

    /// Takes the queues and the interface, `0-3:eth0`.
    @Sendable
    private static func openNFQueue(
        _ argument: String, port: PortIndex, options: Options
    ) throws(DriverError) -> any InterfaceDriver {
        let parts = argument.split(separator: ":", maxSplits: 1).map(String.init)
        guard parts.count == 2 else {
            throw DriverError(
                .badArgument, "nfqueue:\(argument): a queue and an interface are accepted here")
        }
        let queues = try QueueRange(parts[0])
        guard !options.answersAddresses else {
            throw DriverError(
                .badArgument,
                "nfqueue:\(parts[0]): netfilter sees no ARP, so --answer does not work; configure the"
                    + " address on the host, or use afpacket")
        }
        guard queues.count == options.workers else {
            let last = Int(queues.first) + options.workers - 1
            let right = options.workers == 1 ? "\(queues.first)" : "\(queues.first)-\(last)"
            throw DriverError(
                .badArgument,
                "nfqueue:\(parts[0]): each worker has a queue of its own, and there are"
                    + " \(options.workers); write nfqueue:\(right) or --workers \(queues.count)")
        }
        options.commons.queues.use(queues)
        return try NFQueueDriver(
            interface: parts[1], port: port, worker: options.worker,
            commons: options.commons.queues)
    }
}
