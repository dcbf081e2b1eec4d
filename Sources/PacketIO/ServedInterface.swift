package import LVS

/// One served interface as the housekeeper sees it: the drivers of all workers there, in the workers'
/// order.
package final class ServedInterface {
    /// One for each worker.
    package let drivers: [any InterfaceDriver]
    /// Advice that was given already: workers find the same, each at its time.
    private var told = Set<String>()

    /// Takes at least one driver, all of the same interface and port.
    package init(drivers: [any InterfaceDriver]) {
        precondition(!drivers.isEmpty, "an interface is served by somebody")
        self.drivers = drivers
    }

    /// Opens a driver for each worker.
    package convenience init(
        _ text: String, port: PortIndex, options: DriverRegistry.Options
    ) throws(DriverError) {
        var drivers: [any InterfaceDriver] = []
        var own = options
        for worker in 0..<options.workers {
            own.worker = worker
            drivers.append(try DriverRegistry.open(text, port: port, options: own))
        }
        self.init(drivers: drivers)
    }

    package var port: PortIndex { drivers[0].port }
    package var name: String { drivers[0].name }
    package var summary: String { drivers[0].summary }
    /// Whether a driver waits for the interface to exist again.
    package var isDetached: Bool { drivers.contains(where: \.isDetached) }

    /// What all workers did there.
    package var statistics: DriverStatistics {
        drivers.map(\.statistics).reduce(DriverStatistics(), +)
    }

    package func setHostVLANs(_ ids: Set<UInt16>) {
        for driver in drivers { driver.setHostVLANs(ids) }
    }

    package func follow(_ port: Port) {
        for driver in drivers { driver.follow(port) }
    }

    /// What the operator should know now, each thing once.
    package func takeAdvice() -> [String] {
        drivers.compactMap { $0.takeAdvice() }.filter { told.insert($0).inserted }
    }

    /// Serves the interface anew when it was deleted and exists again; true when a driver did so.
    ///
    /// One worker after the other, since the kernel numbers those who share an interface as they
    /// come: nobody before the one in front of him.
    package func refresh() throws(DriverError) -> Bool {
        var some = false
        for driver in drivers {
            some = try driver.refresh() || some
            if driver.isDetached { break }
        }
        return some
    }
}
