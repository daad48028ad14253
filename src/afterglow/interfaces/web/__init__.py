"""`afterglow serve`: the page, and the HTTP interface behind it.

app       routes
guard     who may ask, how much, and the headers of every answer
pool      processes that compute, and can be stopped
jobs      long pieces of work: progress, cancelling
models    answers, as OpenAPI describes them
work      what the processes do; the only part that imports the simulator
bodies    what may be asked, checked in those processes
claims    scenarios of claims that the page can try
systems   systems as the page shows them
studies   forecasts, plans and trials as jobs
files     the files of the page, kept in memory
export    a static copy of the page, on answers of `precomputed`
code      Python and command lines that do what the page shows
"""
