"""The results as text."""

import statistics


def print_samples(kinds, found):
    """CPU is the servers' alone and hardly minds what else is running."""
    print("%-36s %27s %10s %7s" % ("", "requests/s (lowest-highest)",
                                   "us CPU/req", "client"))
    for row, samples in found:
        print(row.title)
        for name, of_kind in samples.items():
            rates = [s.rate for s in of_kind]
            print("  %-34s %7.0f (%7.0f -%8.0f) %10.1f %5.0f %%" % (
                kinds[name].title, statistics.median(rates), min(rates),
                max(rates), statistics.median(s.cpu for s in of_kind) * 1e6,
                statistics.median(s.client for s in of_kind) * 100))
    print("client: how much of one processor it used; where that is nearly "
          "all,\nthe rates are the client's, and only CPU tells servers apart")


def print_memory(kinds, memory):
    if not memory:
        return
    print("\n%-36s %14s %14s" % ("memory of a worker, KB", "Pss", "private"))
    for name, (pss, private) in memory.items():
        print("  %-34s %14.0f %14.0f" % (kinds[name].title, pss, private))


def print_cells(kinds, table):
    print("\n%-31s %6s %6s %7s   %s" % ("ratios", "rate", "CPU", "target",
                                        "of the ceiling: rate, CPU"))
    for row, cells in table:
        if not cells:
            continue
        print(row.title)
        for cell in cells:
            target = "%.2f" % cell.aim.target if cell.aim.target else "-"
            ceiling = "%12s" % "" if cell.ceiling is None else \
                "%5.2f, %5.2f" % cell.ceiling
            print("  to %-26s %6.2f %6.2f %7s   %s   %s" % (
                kinds[cell.kind].title, cell.found.rate, cell.found.work,
                target, ceiling, cell.verdict))
