import pytest
@pytest.mark.browser
def test_looks(open_notebook):
    cells=["import tinypool_nb as tp\nfor n in (10,):\n    tp.open_recording(f'/tmp/recording/r{n}.parquet').panel()._ipython_display_()", "tp.open_recording('/tmp/recording/r10.parquet').replay(10)"]
    nb=open_notebook(cells,height=2600)
    nb.run(); nb.page.wait_for_timeout(4000)
    nb.page.screenshot(path='/tmp/recording/light2.png')
    nb.set_theme('dark'); nb.page.wait_for_timeout(1500)
    nb.run(); nb.page.wait_for_timeout(5000)
    nb.cell(1).screenshot(path='/tmp/recording/dark.png')
    nb.page.wait_for_timeout(3000)
    nb.cell(1).screenshot(path='/tmp/recording/dark2.png')
