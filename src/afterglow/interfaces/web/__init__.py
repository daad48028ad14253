"""`afterglow serve`: the page, and the HTTP interface behind it.

app       routes
guard     who may ask, how much, and the headers of every answer
pool      processes that compute, and can be stopped
jobs      long pieces of work: progress, cancelling
models    answers, as OpenAPI describes them
work      what the processes do; the only part that imports the simulator
bodies    what may be asked, checked in those processes
code      Python and command lines that do what the page shows
"""
