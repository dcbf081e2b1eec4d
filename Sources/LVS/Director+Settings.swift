extension Director {
    /// Changes the timeouts; 0 keeps a value.
    package func setTimeouts(_ new: Timeouts) throws(CommandRefusal) {
        for seconds in [new.tcp, new.tcpFin, new.udp] where seconds > Timeouts.longest {
            throw .invalid("a timeout is at most \(Timeouts.longest) seconds, not \(seconds)")
        }
        if new.tcp != 0 { timeouts.tcp = new.tcp }
        if new.tcpFin != 0 { timeouts.tcpFin = new.tcpFin }
        if new.udp != 0 { timeouts.udp = new.udp }
        live.take(timeouts)
    }

    /// Changes a setting `net.ipv4.vs.*`; the prefix may be left out.
    package func set(name: String, value: Int) throws(CommandRefusal) {
        try settings.set(name, value)
        live.take(settings)
        for record in records { record.object.take(options(record.service)) }
    }
}
